import type { AppError } from '@tocsin/runtime/errors'
import type { Logger } from '@tocsin/runtime/logger'
import { counter, gauge } from '@tocsin/runtime/metrics'

const failuresTotal = counter('tocsin_evaluator_snapshot_failures_total', 'Looks that found no good snapshot', ['code'])
const failingSince = gauge(
  'tocsin_evaluator_snapshot_failing_since_seconds',
  'Unix time since which the last good rules stay in use because no newer ones can be had; 0 while they can',
)

/** Why rules cannot be brought up to date at present, and since when: for the log, for `/status` and for an alarm. */
export class SnapshotTrouble {
  readonly #log: Logger
  #latest: { code: string; text: string } | undefined
  since: Date | undefined

  constructor(log: Logger) {
    this.#log = log
    failingSince.set(0)
  }

  get text(): string | undefined {
    return this.#latest?.text
  }

  /** In the log once per kind of trouble, not once per look. */
  tell({ code, message }: AppError, version: number | undefined): void {
    failuresTotal.inc({ code })
    this.since ??= new Date()
    failingSince.set(this.since.getTime() / 1_000)
    const known = this.#latest?.code === code
    this.#latest = { code, text: message }
    if (known) return
    // The rest comes back by itself; a snapshot that cannot be read is for a person to look at.
    const level = code === 'bad_snapshot' ? 'error' : 'warn'
    this.#log[level]({ code, error: message, version }, 'cannot load the snapshot')
  }

  end(version: number | undefined): void {
    if (this.#latest === undefined) return
    this.#log.info({ version }, 'snapshots can be loaded again')
    this.#latest = undefined
    this.since = undefined
    failingSince.set(0)
  }
}
