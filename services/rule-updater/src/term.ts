import type { Manifest } from '@tocsin/contracts/snapshot'
import { readSnapshot } from '@tocsin/redis/snapshot-store'
import { expireStrayChunks } from '@tocsin/redis/snapshot-strays'
import { ChunkBook } from './chunk-book.ts'
import { Comparison } from './comparison.ts'
import { finishRebuild, type Lease, reportReconcile } from './lease.ts'
import * as meters from './meters.ts'
import type { Places } from './places.ts'
import { Publisher, type PublishOptions } from './publisher.ts'
import { repairDamaged, restoreMissing } from './repair-chunks.ts'
import { holdsAllStamped, type Read, readChanges, readEverything, stampRows, type Waiting } from './rules-table.ts'

/**
 * What one leader does between taking the lease and losing it. `begin`, `turn` and `check` never run at the same time;
 * `reconcile` may run beside one of them.
 */
export class Term {
  readonly lease: Lease
  readonly #places: Places
  readonly #publisher: Publisher
  #book: ChunkBook | undefined
  /** The book has something that no snapshot has: a publication failed. */
  #isBehind = false
  #comparison: Comparison | undefined
  /** What comparisons found. The next turn reads these rules again: what they are like by then is what counts. */
  #drift = new Set<string>()
  /** The request after which every chunk is to be written anew by the next turn. */
  #rebuild: number | undefined

  constructor(places: Places, lease: Lease) {
    this.#places = places
    this.lease = lease
    this.#publisher = new Publisher(places, lease)
  }

  get published(): Manifest | undefined {
    return this.#publisher.published
  }

  /** Redis had seen versions that Postgres does not know: so the book may be ahead of Postgres as well. Said once. */
  takeSuspicion(): boolean {
    return this.#publisher.takeSuspicion()
  }

  /**
   * Publishes what Postgres has under this term's token also when it is what Redis has: from then on Redis refuses the
   * leader before.
   */
  async begin(stopping: AbortSignal): Promise<void> {
    await this.#timed(async () => (await this.#takeOverAndPublish(stopping)) ?? this.#readAndPublishAll(stopping))
  }

  /**
   * What readers have, with what was changed since: no later than the lease where reading 100,000 rules takes seconds.
   * Undefined when that is not all that Postgres has. The leader before may publish and stamp until we have published, so
   * the stamps are looked at when what waits has been read: a row is in one of the two, or its stamp tells.
   */
  async #takeOverAndPublish(stopping: AbortSignal): Promise<Manifest | undefined> {
    const { database, redis, prefix } = this.#places
    const snapshot = await readSnapshot(redis, prefix, stopping)
    if (snapshot === undefined) return undefined
    const book = new ChunkBook(snapshot.chunks)
    const { waiting, unreadable } = await readChanges(database, [], page => book.apply(page))
    if (!(await holdsAllStamped(database, snapshot.manifest.version))) return undefined
    this.#tellUnreadable(unreadable)
    this.#book = book
    return this.#publishAndStamp(waiting, {})
  }

  async #readAndPublishAll(stopping: AbortSignal): Promise<Manifest> {
    const book = ChunkBook.empty(this.#book?.chunks.length)
    const { waiting, unreadable } = await readEverything(this.#places.database, page => {
      stopping.throwIfAborted()
      book.apply(page)
    })
    this.#tellUnreadable(unreadable)
    this.#book = book
    return this.#publishAndStamp(waiting, {})
  }

  /**
   * Takes in what waits, publishes it as one version, and stamps exactly what was read. False when there was nothing to
   * do. What a failure leaves still waits, so the next turn does it.
   */
  async turn(stopping: AbortSignal, { always = false } = {}): Promise<boolean> {
    const rebuild = this.#rebuild
    const startedAt = performance.now()
    const { waiting } = await this.#takeIn(stopping)
    if (!always && !this.#isBehind && waiting.rule_ids.length === 0 && rebuild === undefined) return false
    const isRebuild = rebuild !== undefined
    await this.#timed(
      () => this.#publishAndStamp(waiting, { always: always || isRebuild, rewrite: isRebuild }),
      startedAt,
    )
    if (rebuild !== undefined) await this.#finishRebuild(rebuild)
    return true
  }

  /** Page by page into the book. Nothing of it is published before all was read: every publication begins with this. */
  async #takeIn(stopping: AbortSignal): Promise<Read> {
    const drift = [...this.#drift]
    const read = await readChanges(this.#places.database, drift, page => {
      stopping.throwIfAborted()
      if (page.length === 0) return
      this.#isBehind = true
      this.#comparison?.changed(page.map(rule => rule.rule_id))
      this.#book!.apply(page)
    })
    for (const rule_id of drift) this.#drift.delete(rule_id)
    this.#tellUnreadable(read.unreadable)
    return read
  }

  async #publishAndStamp(waiting: Waiting, options: PublishOptions): Promise<Manifest> {
    const manifest = await this.#publisher.publish(this.#book!, { ...options, oldestChangeAt: waiting.oldest_at })
    this.#isBehind = false
    await stampRows(this.#places.database, manifest.version, waiting)
    return manifest
  }

  async #finishRebuild(rebuild: number): Promise<void> {
    await finishRebuild(this.#places.database, this.lease, rebuild)
    if (this.#rebuild === rebuild) this.#rebuild = undefined
  }

  /** Is Redis as we left it? Lost chunks are put back; whatever else is wrong is answered by a new version. */
  async check(stopping: AbortSignal): Promise<void> {
    if (await this.#publisher.isCurrent()) await restoreMissing(this.#places, this.#book!, this.published!)
    else await this.turn(stopping, { always: true })
  }

  /**
   * Compares everything with Postgres, and the bytes in Redis with what was written. Drift is left for the next turn.
   * With `rebuild`, the number of the request, that turn writes every chunk anew.
   */
  async reconcile(stopping: AbortSignal, rebuild?: number): Promise<void> {
    const startedAt = performance.now()
    const { rules, drift } = await this.#compare(stopping, rebuild)
    if (rebuild === undefined) {
      await repairDamaged(this.#places, this, stopping)
      await expireStrayChunks(this.#places.redis, this.#places.prefix, this.published!)
    }
    const seconds = (performance.now() - startedAt) / 1_000
    await reportReconcile(this.#places.database, this.lease, { at: new Date(), seconds, rules, drift: drift.length })
  }

  /** For repairs: what should be in Redis, at this moment. */
  get current(): { book: ChunkBook; manifest: Manifest } | undefined {
    const manifest = this.published
    return manifest && this.#book && { book: this.#book, manifest }
  }

  async #compare(stopping: AbortSignal, rebuild: number | undefined) {
    const comparison = new Comparison(this.#places, this.#book!)
    this.#comparison = comparison
    try {
      await comparison.run(stopping, { hurried: rebuild !== undefined })
      this.#tellUnreadable(comparison.unreadable)
      const drift = comparison.drift()
      for (const rule_id of drift) this.#drift.add(rule_id)
      this.#rebuild = rebuild ?? this.#rebuild
      this.#tellDrift(drift)
      return { drift, rules: comparison.rules }
    } finally {
      this.#comparison = undefined
    }
  }

  async #timed(build: () => Promise<Manifest>, startedAt = performance.now()): Promise<void> {
    const before = this.published?.version
    try {
      const { version, rules } = await build()
      const outcome = version === before ? 'unchanged' : 'published'
      const seconds = (performance.now() - startedAt) / 1_000
      meters.buildsTotal.inc({ outcome })
      meters.buildSeconds.observe(seconds)
      this.#places.log.debug({ version, rules, outcome, seconds }, 'snapshot built')
    } catch (error) {
      meters.buildsTotal.inc({ outcome: 'failed' })
      throw error
    }
  }

  #tellUnreadable(rule_ids: readonly string[]): void {
    if (rule_ids.length === 0) return
    this.#places.log.error({ rule_ids }, 'left rules out of the snapshot: their rows are not valid')
  }

  #tellDrift(drift: readonly string[]): void {
    if (drift.length === 0) return
    meters.driftTotal.inc(drift.length)
    const rule_ids = drift.slice(0, 20)
    this.#places.log.warn({ rules: drift.length, rule_ids }, 'rules were changed without a row in rule_versions')
  }
}
