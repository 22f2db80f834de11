import { messageOf } from '@tocsin/runtime/errors'
import type { Logger } from '@tocsin/runtime/logger'
import { counter, gauge, histogramSeconds } from '@tocsin/runtime/metrics'
import type { BuiltSnapshot } from './build-snapshot.ts'

const versionGauge = gauge('tocsin_snapshot_version', 'Version of the rule snapshot that was built last')
const rulesGauge = gauge('tocsin_snapshot_rules', 'Rules in the snapshot that was built last')
const buildSeconds = histogramSeconds(
  'tocsin_snapshot_build_seconds',
  'One snapshot, from waiting for the lock to the commit',
)
const buildsTotal = counter('tocsin_snapshot_publishes_total', 'Snapshots built, by what came of them', ['outcome'])

/** Builds snapshots, one at a time. Whoever asks while one is built shares the next: many changes, one snapshot. */
export class SnapshotPublisher {
  readonly #buildOne: () => Promise<BuiltSnapshot>
  readonly #log: Logger
  #running: Promise<void> | undefined
  #next: Promise<void> | undefined
  #built: (BuiltSnapshot & { at: Date; seconds: number }) | undefined
  #failure: string | undefined

  constructor(buildOne: () => Promise<BuiltSnapshot>, log: Logger) {
    this.#buildOne = buildOne
    this.#log = log
  }

  /** Resolves when everything that was committed before this call is in Redis. */
  publish(): Promise<void> {
    if (this.#next !== undefined) return this.#next
    if (this.#running === undefined) return this.#start()
    // The build under way may have read the rules before the caller's change: it needs the one after it.
    this.#next = this.#running.catch(() => {}).then(() => this.#start())
    return this.#next
  }

  /** For `/ready`. */
  check(): void {
    if (this.#failure !== undefined) throw new Error(this.#failure)
    if (this.#built === undefined) throw new Error('no snapshot was built yet')
  }

  status(): Record<string, unknown> {
    const { version, rules, at, seconds } = this.#built ?? {}
    return { snapshot_version: version, rules, built_at: at?.toISOString(), build_seconds: seconds }
  }

  #start(): Promise<void> {
    this.#next = undefined
    this.#running = this.#build().finally(() => {
      this.#running = undefined
    })
    return this.#running
  }

  async #build(): Promise<void> {
    const startedAt = performance.now()
    try {
      const built = await this.#buildOne()
      const seconds = (performance.now() - startedAt) / 1_000
      buildSeconds.observe(seconds)
      buildsTotal.inc({ outcome: built.published ? 'published' : 'unchanged' })
      versionGauge.set(built.version)
      rulesGauge.set(built.rules)
      this.#log.debug({ ...built, seconds }, 'snapshot built')
      this.#built = { ...built, at: new Date(), seconds }
      this.#failure = undefined
    } catch (error) {
      buildsTotal.inc({ outcome: 'failed' })
      this.#failure = messageOf(error)
      throw error
    }
  }
}
