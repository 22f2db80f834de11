import type { Manifest, SnapshotNews } from '@tocsin/contracts/snapshot'
import type { Redis } from '@tocsin/redis/connection'
import { badSnapshot } from '@tocsin/redis/snapshot-chunk'
import { readManifest } from '@tocsin/redis/snapshot-store'
import { pause } from '@tocsin/runtime/backoff'
import { AppError, isRetryable } from '@tocsin/runtime/errors'
import type { Logger } from '@tocsin/runtime/logger'
import type { ChunkChange } from './chunk-change.ts'
import { LiveRules, type SnapshotName } from './live-rules.ts'
import { bringTo, differenceTo, proofOf } from './load-rules.ts'
import { SnapshotInbox } from './snapshot-inbox.ts'
import * as meters from './snapshot-meters.ts'
import { SnapshotTrouble } from './snapshot-trouble.ts'

/** Publish/subscribe tells at once; this is how late a swap is seen when it was told to nobody. */
const pollMs = 1_000

/**
 * Characters of lines that a difference may have to be applied in place: they are in memory at once, and where lines are as
 * short as they can be, the run that exchanges 9,000 rules takes 15 ms, in which no batch is matched.
 */
const inPlaceTextMax = 2 * 1_048_576

/** A chunk that is gone is in no manifest any more, if the next one is there already; else somebody lost it. */
const manifestsTried = 3

/** Of the chunks that are known from news; each costs a millisecond, and is compared within some minutes. */
const proofsPerLook = 4

export interface SnapshotCacheOptions {
  redis: Redis
  prefix: string
  log: Logger
  /** Called when other rules are in use. */
  onSwap: (rules: LiveRules) => Promise<void>
  inPlaceTextMax?: number
}

/**
 * The rules in use. Whoever matches takes `current` for each batch anew and makes no pause while he matches. A small
 * difference is prepared within these rules, unseen, and exchanged in one run between two batches; for a large one others
 * are built beside them, and take their place by one assignment. So a batch sees one version, and never waits for rules to
 * be prepared.
 *
 * Whatever happens to Redis, the last good rules stay in use: when it is away or empty, when a snapshot is damaged, and
 * when it shows a version older than ours, as a restored or lagging Redis does until the rule-updater has repaired it.
 */
export class SnapshotCache {
  current: LiveRules | undefined
  readonly #options: SnapshotCacheOptions
  readonly #trouble: SnapshotTrouble
  readonly #loaded = Promise.withResolvers<void>()
  /** Rules that are being built; kept when something fails, so that the next look goes on with them. */
  #beside: LiveRules | undefined
  readonly #inbox = new SnapshotInbox()
  /** When the look began that last found our rules to be the newest. */
  #currentAt = 0
  /** When Redis was last looked at, whatever is told. */
  #readAt = Number.NEGATIVE_INFINITY
  #woken = new AbortController()

  constructor(options: SnapshotCacheOptions) {
    this.#options = options
    this.#trouble = new SnapshotTrouble(options.log)
  }

  /** Look now. A call that comes while a snapshot is being loaded is not lost: there is another look after it. */
  wake(news?: SnapshotNews): void {
    if (news !== undefined) this.#inbox.put(news)
    this.#woken.abort()
  }

  async keepCurrent(stopping: AbortSignal): Promise<void> {
    while (!stopping.aborted) {
      // Made before the look: what is published from here on ends the pause below.
      this.#woken = new AbortController()
      await this.#look(stopping)
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
    throw new Error(this.#trouble.text ?? 'there is no snapshot yet')
  }

  status(): Record<string, unknown> {
    return {
      snapshot_version: this.current?.version,
      rules: this.current?.size,
      refused_rules: this.current?.refused,
      snapshot_failure: this.#trouble.text,
      snapshot_failing_since: this.#trouble.since?.toISOString(),
    }
  }

  async #look(stopping: AbortSignal): Promise<void> {
    try {
      await this.#follow(stopping)
      this.#trouble.end(this.current?.version)
    } catch (error) {
      if (stopping.aborted) return
      if (!isRetryable(error)) throw error
      this.#trouble.tell(error as AppError, this.current?.version)
    }
  }

  async #follow(stopping: AbortSignal): Promise<void> {
    for (let tried = 1; ; tried++) {
      try {
        return await this.#takeNews(stopping)
      } catch (error) {
        if (!(error instanceof AppError && error.code === 'chunk_gone')) throw error
        if (tried === manifestsTried) throw badSnapshot(error.message, error)
      }
    }
  }

  async #takeNews(stopping: AbortSignal): Promise<void> {
    const lookedAt = performance.now()
    const isTold = await this.#takeTold(stopping)
    if (!isTold || lookedAt >= this.#readAt + pollMs) {
      this.#readAt = lookedAt
      await this.#read(stopping)
    }
    this.#currentAt = lookedAt
  }

  /** Whether news made these rules others: then Redis need not be asked what is new. */
  async #takeTold(stopping: AbortSignal): Promise<boolean> {
    const rules = this.current
    if (rules === undefined) return false
    let isTold = false
    for (let news = this.#inbox.takeFor(rules); news !== undefined; news = this.#inbox.takeFor(rules)) {
      const changes = rules.toldChanges(news)
      if (changes === undefined) return false
      await this.#takeInPlace(rules, changes, news, 'told', stopping)
      isTold = true
    }
    return isTold
  }

  async #read(stopping: AbortSignal): Promise<void> {
    const manifest = await readManifest(this.#options.redis, this.#options.prefix)
    if (isNews(manifest, this.current)) await this.#take(manifest, stopping)
    else if (manifest !== undefined && this.current !== undefined) await this.#prove(this.current, manifest, stopping)
  }

  async #take(manifest: Manifest, stopping: AbortSignal): Promise<void> {
    const rules = this.current
    const textMax = this.#options.inPlaceTextMax ?? inPlaceTextMax
    const changes = rules && (await differenceTo(this.#options, rules, manifest, textMax))
    if (rules === undefined || changes === undefined) return this.#buildBeside(manifest, stopping)
    await this.#takeInPlace(rules, changes, manifest, 'in place', stopping)
  }

  async #takeInPlace(
    rules: LiveRules,
    changes: readonly ChunkChange[],
    to: SnapshotName & Pick<Manifest, 'oldest_change_at'>,
    how: string,
    stopping: AbortSignal,
  ): Promise<void> {
    const before = rules.version
    const refused = await this.#exchange(rules, changes, to, stopping)
    this.#observePropagation(to, before)
    await this.#taken(rules, how, refused)
    await rules.tidy()
  }

  async #exchange(
    rules: LiveRules,
    changes: readonly ChunkChange[],
    { version, hash }: SnapshotName,
    stopping: AbortSignal,
  ): Promise<number> {
    for (const change of changes) {
      await rules.prepare(change)
      stopping.throwIfAborted()
    }
    // Should a bug end this run in its middle, then there are no rules, and no half-changed ones: the process stops.
    this.current = undefined
    const refused = rules.take(changes, { version, hash })
    this.current = rules
    return refused
  }

  /**
   * News are right as long as nobody made a mistake, and it is the chunks that the leader compares with Postgres. So what
   * is known from news is read as well, later and a little at a time.
   */
  async #prove(rules: LiveRules, manifest: Manifest, stopping: AbortSignal): Promise<void> {
    const places = rules.told(proofsPerLook)
    if (places.size === 0) return
    const changes = await proofOf(this.#options, rules, manifest, places)
    const wrong = changes.reduce((sum, { put, removed }) => sum + put.length + removed.length, 0)
    await this.#exchange(rules, changes, rules, stopping)
    await rules.tidy()
    if (wrong === 0) return
    meters.correctedTotal.inc(wrong)
    this.#options.log.error({ rules: wrong, version: rules.version }, 'rules were not what their snapshot says')
  }

  async #buildBeside(manifest: Manifest, stopping: AbortSignal): Promise<void> {
    if (this.#beside?.chunkCount !== manifest.chunks.length) this.#beside = new LiveRules(manifest.chunks.length)
    const rules = this.#beside
    await bringTo(this.#options, rules, manifest, stopping)
    const before = this.current?.version
    this.current = rules
    // A start is not the propagation of a change that was made long ago.
    if (before !== undefined) this.#observePropagation(manifest, before)
    await this.#taken(rules, 'beside', rules.refused)
  }

  async #taken(rules: LiveRules, how: string, refused: number): Promise<void> {
    const { log, onSwap } = this.#options
    this.#beside = undefined
    this.#loaded.resolve()
    if (refused > 0) {
      log.error({ refused_rules: rules.refused, latest: rules.latestRefusals }, 'left rules out that cannot be used')
    }
    meters.versionGauge.set(rules.version)
    meters.rulesGauge.set(rules.size)
    meters.refusedGauge.set(rules.refused)
    meters.swapsTotal.inc({ how })
    log.debug({ version: rules.version, rules: rules.size, how }, 'snapshot in use')
    await onSwap(rules)
  }

  /**
   * Of the changes in versions that were skipped nothing is known but that they were not there when ours was the newest.
   * To leave them out would tell of 50 ms when an evaluator was cut off for a minute.
   */
  #observePropagation(
    { version, oldest_change_at }: Pick<Manifest, 'version' | 'oldest_change_at'>,
    before: number,
  ): void {
    const waitedMs: number[] = []
    // Clocks of machines differ; nothing is live before it was changed.
    if (oldest_change_at !== null) waitedMs.push(Math.max(0, Date.now() - Date.parse(oldest_change_at)))
    if (version > before + 1) waitedMs.push(performance.now() - this.#currentAt)
    if (waitedMs.length > 0) meters.propagationSeconds.observe(Math.max(...waitedMs) / 1_000)
  }
}

/**
 * The same version with other rules is from another history: Postgres and Redis were both lost, and began again. Once
 * there are rules, none in Redis and older ones are a trouble that somebody must hear of if it stays.
 */
function isNews(manifest: Manifest | undefined, rules: LiveRules | undefined): manifest is Manifest {
  if (rules === undefined) return manifest !== undefined
  if (manifest === undefined) throw new AppError('snapshot_gone', 'Redis holds no snapshot', { retryable: true })
  if (manifest.version < rules.version) {
    const message = `Redis shows snapshot ${manifest.version}, which is older than ours`
    throw new AppError('older_snapshot', message, { retryable: true })
  }
  return manifest.version > rules.version || manifest.hash !== rules.hash
}
