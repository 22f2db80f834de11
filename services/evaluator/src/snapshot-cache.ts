import type { Manifest } from '@tocsin/contracts/snapshot'
import type { Redis } from '@tocsin/redis/connection'
import { readManifest, readSnapshot } from '@tocsin/redis/snapshot-store'
import { pause } from '@tocsin/runtime/backoff'
import { type AppError, isRetryable, messageOf } from '@tocsin/runtime/errors'
import type { Logger } from '@tocsin/runtime/logger'
import { counter, gauge } from '@tocsin/runtime/metrics'
import { LiveRules } from './live-rules.ts'

/** Publish/subscribe tells at once; this is how late a swap is seen when it was told to nobody. */
const pollMs = 1_000

const versionGauge = gauge('tocsin_evaluator_snapshot_version', 'Version of the rules that alerts are matched with')
const rulesGauge = gauge('tocsin_evaluator_rules', 'Rules that alerts are matched with')
const refusedGauge = gauge('tocsin_evaluator_refused_rules', 'Rules of the snapshot that the matcher would not take')
const swapsTotal = counter('tocsin_evaluator_swaps_total', 'Snapshots taken into use')
const failuresTotal = counter('tocsin_evaluator_snapshot_failures_total', 'Snapshots that could not be loaded', [
  'code',
])

export interface SnapshotCacheOptions {
  redis: Redis
  prefix: string
  log: Logger
  /** Called when other rules are in use, with their version. */
  onSwap: (version: number) => Promise<void>
}

/**
 * The rules in use. Whoever matches takes `current` once per batch: it is replaced by one assignment, after everything
 * that can fail, and what it points to never changes. So a batch sees one version, and no batch ever waits.
 *
 * Whatever happens to Redis, the last good rules stay in use: when it is away or empty, when a snapshot is damaged, and
 * when it shows a version older than ours, as a restored or lagging Redis does until the rule-updater has repaired it.
 */
export class SnapshotCache {
  current: LiveRules | undefined
  readonly #options: SnapshotCacheOptions
  readonly #loaded = Promise.withResolvers<void>()
  #woken = new AbortController()
  #failure: string | undefined

  constructor(options: SnapshotCacheOptions) {
    this.#options = options
  }

  /** Look now. A call that comes while a snapshot is being loaded is not lost: there is another look after it. */
  wake(): void {
    this.#woken.abort()
  }

  async keepCurrent(stopping: AbortSignal): Promise<void> {
    while (!stopping.aborted) {
      // Made before the look: what is published from here on ends the pause below.
      this.#woken = new AbortController()
      await this.#look()
      await pause(pollMs, AbortSignal.any([stopping, this.#woken.signal]))
    }
  }

  /** Until there are rules to match with, none included, or until stopping. */
  async untilLoaded(stopping: AbortSignal): Promise<void> {
    const stopped = new Promise<void>(resolve => stopping.addEventListener('abort', () => resolve(), { once: true }))
    if (!stopping.aborted) await Promise.race([this.#loaded.promise, stopped])
  }

  /** For `/ready`. */
  check(): void {
    if (this.current !== undefined) return
    throw new Error(this.#failure ?? 'there is no snapshot yet')
  }

  status(): Record<string, unknown> {
    return {
      snapshot_version: this.current?.version,
      rules: this.current?.size,
      refused_rules: this.current?.refused.length,
      snapshot_failure: this.#failure,
    }
  }

  async #look(): Promise<void> {
    const { redis, prefix, log } = this.#options
    try {
      if (this.#isNews(await readManifest(redis, prefix))) await this.#load()
      if (this.#failure !== undefined) log.info({ version: this.current?.version }, 'snapshots can be loaded again')
      this.#failure = undefined
    } catch (error) {
      if (!isRetryable(error)) throw error
      this.#report(error as AppError)
    }
  }

  /** The same version with other rules is from another history: Postgres and Redis were both lost, and began again. */
  #isNews(manifest: Manifest | undefined): boolean {
    if (manifest === undefined || this.current === undefined) return manifest !== undefined
    const { version, hash } = this.current
    return manifest.version > version || (manifest.version === version && manifest.hash !== hash)
  }

  async #load(): Promise<void> {
    const { redis, prefix, log, onSwap } = this.#options
    const snapshot = await readSnapshot(redis, prefix)
    // Flushed, or swapped for an older one, between the two reads.
    if (snapshot === undefined || !this.#isNews(snapshot.manifest)) return
    const rules = await LiveRules.prepare(snapshot.manifest, snapshot.rules)
    if (rules.refused.length > 0) log.error({ rule_ids: rules.refused }, 'the matcher cannot read these rules')
    this.current = rules
    this.#loaded.resolve()
    versionGauge.set(rules.version)
    rulesGauge.set(rules.size)
    refusedGauge.set(rules.refused.length)
    swapsTotal.inc()
    log.debug({ version: rules.version, rules: rules.size }, 'snapshot in use')
    await onSwap(rules.version)
  }

  /** Once per kind of trouble, not once per second. */
  #report(error: AppError): void {
    failuresTotal.inc({ code: error.code })
    const text = messageOf(error)
    if (text === this.#failure) return
    this.#failure = text
    // Redis that is away comes back by itself; a snapshot that cannot be read is for a person to look at.
    const level = error.code === 'redis_unavailable' ? 'warn' : 'error'
    this.#options.log[level](
      { code: error.code, error: text, version: this.current?.version },
      'cannot load the snapshot',
    )
  }
}
