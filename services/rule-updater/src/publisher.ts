import type { ChunkEntry, Manifest, SnapshotNews } from '@tocsin/contracts/snapshot'
import { readEvaluators } from '@tocsin/redis/evaluator-registry'
import { chunkOf, hashOfChunks, type PackedChunk } from '@tocsin/redis/snapshot-chunk'
import {
  missingChunks,
  readClockMs,
  readManifest,
  readVersion,
  restoreChunks,
  type SwapOutcome,
  swapManifest,
  writeChunks,
} from '@tocsin/redis/snapshot-store'
import { AppError } from '@tocsin/runtime/errors'
import type { ChunkBook } from './chunk-book.ts'
import { drawVersion, type Lease, leaseTtlMs } from './lease.ts'
import * as meters from './meters.ts'
import type { Places } from './places.ts'

/** Each surprise is answered by one more try: more than a few in a row, and somebody else writes at our keys. */
const triesMax = 8

/** A draw keeps others out for a lease; less what two clocks may differ by in that time. */
const confirmedMs = leaseTtlMs - 500

export interface PublishOptions {
  /** When the oldest of the changes was made that this is the first snapshot to hold. */
  oldestChangeAt?: Date | undefined
  /** A new version also when the rules are those of the last one. */
  always?: boolean
  /** Every chunk is written again, over whatever Redis has under its name. */
  rewrite?: boolean
}

/** Puts the rules of one leader's book into Redis, as one version after the other. */
export class Publisher {
  readonly #places: Places
  readonly #lease: Lease
  /** What is to be published, or was. */
  #chunks: readonly PackedChunk[] = []
  /** What Redis has, as far as we know; undefined: nothing. */
  #base: Manifest | undefined
  #published: Manifest | undefined
  /** Redis may have something else than the base, or not all of its chunks: look before writing. */
  #isUnsure = true
  #lookedAtMs = 0
  #isPostgresOlder = false
  readonly #seen = { version: 0, token: 0 }

  constructor(places: Places, lease: Lease) {
    this.#places = places
    this.#lease = lease
  }

  get published(): Manifest | undefined {
    return this.#published
  }

  /** Redis has seen versions that Postgres does not know of: Postgres was restored to an earlier day. Said once. */
  takeSuspicion(): boolean {
    const isPostgresOlder = this.#isPostgresOlder
    this.#isPostgresOlder = false
    return isPostgresOlder
  }

  /** The manifest of the snapshot that holds exactly the rules of the book. */
  async publish(book: ChunkBook, options: PublishOptions = {}): Promise<Manifest> {
    this.#chunks = await book.settle()
    const isSame = this.#published?.hash === hashOfChunks(this.#entries)
    if (isSame && !this.#isUnsure && !options.always) return this.#published!
    try {
      if (this.#isUnsure) await this.#look()
      if (options.rewrite) await restoreChunks(this.#places.redis, this.#places.prefix, this.#chunks)
      const manifest = await this.#swapIn(book, options)
      book.told()
      return manifest
    } catch (error) {
      // Whether a swap that failed without an answer took place is known to Redis only.
      this.#isUnsure = true
      throw error
    }
  }

  get #entries(): ChunkEntry[] {
    return this.#chunks.map(chunk => chunk.entry)
  }

  /**
   * Before anything is drawn: whoever draws after Redis was seen empty knows that nobody else leads. For a while; one who
   * is frozen longer must not put an old snapshot into a Redis that was emptied once more.
   */
  async #look(): Promise<void> {
    const { redis, prefix } = this.#places
    this.#lookedAtMs = await readClockMs(redis)
    const evaluators = await readEvaluators(redis, prefix)
    for (const { snapshot_version } of evaluators) this.#see({ version: snapshot_version })
    this.#base = await readable(readManifest(redis, prefix))
  }

  async #swapIn(book: ChunkBook, { oldestChangeAt }: PublishOptions): Promise<Manifest> {
    const { database, redis, prefix } = this.#places
    for (let tries = 1; tries <= triesMax; tries++) {
      await this.#write()
      const base = this.#base
      const { version, drawn_at } = await drawVersion(database, this.#lease, this.#seen)
      const drawnAt = performance.now()
      const manifest = this.#manifest(version, drawn_at, oldestChangeAt)
      const confirmedUntilMs = this.#lookedAtMs + confirmedMs
      const isConfirmed = base === undefined
      const news = base === this.#published ? newsOf(base, manifest, book) : undefined
      const swapped = await swapManifest(redis, prefix, { manifest, base, isConfirmed, confirmedUntilMs, news })
      meters.swapsTotal.inc({ outcome: swapped.outcome })
      if (swapped.outcome !== 'published') {
        await this.#learn(swapped, manifest)
        continue
      }
      this.#succeeded(manifest)
      if (oldestChangeAt !== undefined) {
        const ms = drawn_at.getTime() - oldestChangeAt.getTime() + performance.now() - drawnAt
        meters.changeSeconds.observe(Math.max(0, ms / 1_000))
      }
      return manifest
    }
    throw new AppError('snapshot_contested', 'something else writes over the snapshot in Redis', { retryable: true })
  }

  #manifest(version: number, builtAt: Date, oldestChangeAt: Date | undefined): Manifest {
    const chunks = this.#entries
    return {
      version,
      token: this.#lease.token,
      hash: hashOfChunks(chunks),
      rules: chunks.reduce((sum, entry) => sum + entry.rules, 0),
      built_at: builtAt.toISOString(),
      oldest_change_at: oldestChangeAt?.toISOString() ?? null,
      chunks,
    }
  }

  /** The chunks that the swap will look for: those that the base does not have, and after a surprise whatever is missing. */
  async #write(): Promise<void> {
    const { redis, prefix } = this.#places
    let isThere: (hash: string) => boolean
    if (this.#isUnsure) {
      const missing = new Set(await missingChunks(redis, prefix, this.#manifest(0, new Date(), undefined)))
      isThere = hash => !missing.has(hash)
    } else {
      const held = new Set(this.#base?.chunks.map(chunk => chunk.hash))
      isThere = hash => held.has(hash)
    }
    await writeChunks(
      redis,
      prefix,
      this.#chunks.filter(chunk => !isThere(chunk.entry.hash)),
    )
  }

  /** The next draw tells whether the lease is still ours; only then what Redis said matters. */
  async #learn(swapped: Exclude<SwapOutcome, { outcome: 'published' }>, manifest: Manifest): Promise<void> {
    this.#isUnsure = true
    const { version, token } = manifest
    this.#places.log.warn({ ...swapped, wanted: { version, token } }, 'Redis is not as the last snapshot left it')
    if (swapped.outcome === 'older') {
      this.#see(swapped)
      this.#isPostgresOlder = true
    }
    if (swapped.outcome === 'lost') return
    await this.#look()
    if (swapped.outcome === 'empty') this.#base = undefined
    // A manifest that cannot be read is replaced by its version alone; all of our chunks are then looked for.
    else if (this.#base?.version !== swapped.version) {
      this.#base = { ...manifest, version: swapped.version, chunks: [] }
    }
  }

  #see({ version, token = 0 }: { version: number; token?: number }): void {
    this.#seen.version = Math.max(this.#seen.version, version)
    this.#seen.token = Math.max(this.#seen.token, token)
  }

  #succeeded(manifest: Manifest): void {
    this.#published = manifest
    this.#base = manifest
    this.#isUnsure = false
    meters.versionGauge.set(manifest.version)
    meters.tokenGauge.set(manifest.token)
    meters.rulesGauge.set(manifest.rules)
    meters.chunksGauge.set(manifest.chunks.length)
    meters.bytesGauge.set(manifest.chunks.reduce((sum, chunk) => sum + chunk.bytes, 0))
  }

  /**
   * Is what readers find the snapshot that we published, and has no evaluator one above it? Cheap enough for every
   * second. When not, the next `publish` puts it right.
   */
  async isCurrent(): Promise<boolean> {
    const { redis, prefix } = this.#places
    // Before the manifest: the other way round, one that just took a newer snapshot would look ahead of it.
    const evaluators = await readEvaluators(redis, prefix)
    const version = await readable(readVersion(redis, prefix))
    const manifest = await readable(readManifest(redis, prefix))
    const published = this.#published
    const isOurs =
      published !== undefined &&
      version === published.version &&
      manifest?.version === published.version &&
      manifest.token === published.token &&
      manifest.hash === published.hash
    if (isOurs && evaluators.every(evaluator => evaluator.snapshot_version <= published.version)) return true
    this.#isUnsure = true
    return false
  }
}

/** What made one of our snapshots the next, if that is little. */
function newsOf(base: Manifest | undefined, manifest: Manifest, { untold }: ChunkBook): SnapshotNews | undefined {
  const { version, hash, oldest_change_at, chunks } = manifest
  if (untold === undefined || base?.chunks.length !== chunks.length) return undefined
  const groups = Map.groupBy(untold, ([rule_id]) => chunkOf(rule_id, chunks.length))
  const changed = Array.from(chunks, ({ hash }, at) => ({ at, hash })).filter(
    ({ at, hash }) => hash !== base.chunks[at]!.hash,
  )
  return {
    version,
    hash,
    oldest_change_at,
    base: { version: base.version, hash: base.hash },
    chunks: changed.map(({ at, hash }) => ({
      at,
      hash,
      rules: groups.get(at)!.map(([rule_id, json]) => ({ rule_id, json })),
    })),
  }
}

/** Undefined when there is none, or none that could be read. */
async function readable<T>(reading: Promise<T | undefined>): Promise<T | undefined> {
  try {
    return await reading
  } catch (error) {
    if (error instanceof AppError && error.code === 'bad_snapshot') return undefined
    throw error
  }
}
