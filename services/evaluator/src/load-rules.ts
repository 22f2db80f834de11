import type { Manifest } from '@tocsin/contracts/snapshot'
import type { Redis } from '@tocsin/redis/connection'
import { badSnapshot } from '@tocsin/redis/snapshot-chunk'
import { readChunks } from '@tocsin/redis/snapshot-store'
import { type ChunkChange, ownText } from './chunk-change.ts'
import type { LiveRules } from './live-rules.ts'

export interface SnapshotPlace {
  redis: Redis
  prefix: string
}

/** So many are read and gone through before the next: what is in memory at once does not grow with the snapshot. */
const chunksAtOnce = 32

/**
 * What makes these rules those of the manifest, if it is at most so much text. Undefined when it is more, and when it
 * is all of them: that is for `bringTo`, which can refuse rules after it has tried them.
 */
export async function differenceTo(
  place: SnapshotPlace,
  rules: LiveRules,
  manifest: Manifest,
  textMax: number,
): Promise<ChunkChange[] | undefined> {
  if (rules.chunkCount !== manifest.chunks.length) return undefined
  const changes: ChunkChange[] = []
  let put = 0
  let text = 0
  for await (const change of changesTo(place, rules, manifest)) {
    for (const ruleId of change.removed) text += ruleId.length
    for (const { rule_id, json } of change.put) text += rule_id.length + json.length
    if (text > textMax) return undefined
    put += change.put.length
    changes.push(withOwnText(change))
  }
  return put > 0 && put >= manifest.rules ? undefined : changes
}

function withOwnText(change: ChunkChange): ChunkChange {
  return { ...change, put: change.put.map(({ rule_id, json }) => ({ rule_id, json: ownText(json) })) }
}

/** Chunks at these places as Redis has them, of which these rules are held: what differs should be nothing. */
export async function proofOf(
  place: SnapshotPlace,
  rules: LiveRules,
  manifest: Manifest,
  places: ReadonlySet<number>,
): Promise<ChunkChange[]> {
  const changes = changesTo(place, rules, manifest, (_, at) => places.has(at))
  return (await Array.fromAsync(changes)).map(withOwnText)
}

/**
 * Makes rules that nobody matches with yet those of the manifest. When a chunk has gone meanwhile, call it again with
 * the next manifest: what was done stays done, so that it comes to an end also where chunks are replaced sooner than a
 * million rules are built.
 */
export async function bringTo(
  place: SnapshotPlace,
  rules: LiveRules,
  manifest: Manifest,
  stopping: AbortSignal,
): Promise<void> {
  for await (const change of changesTo(place, rules, manifest)) {
    await rules.prepare(change)
    rules.take([change])
    await rules.tidy()
    stopping.throwIfAborted()
  }
  // The rule-updater is newer than this program and writes another shape. To match nothing would lose every alert.
  if (rules.size === 0 && rules.refused > 0) {
    throw badSnapshot(`none of the ${rules.refused} rules of snapshot ${manifest.version} can be used`)
  }
  rules.take([], manifest)
}

async function* changesTo(
  { redis, prefix }: SnapshotPlace,
  rules: LiveRules,
  manifest: Manifest,
  isWanted = (hash: string, at: number) => !rules.holds(at, hash),
): AsyncGenerator<ChunkChange> {
  const others = Array.from(manifest.chunks, ({ hash }, at) => ({ hash, at })).filter(({ hash, at }) =>
    isWanted(hash, at),
  )
  const read = (from: number) => {
    const some = others.slice(from, from + chunksAtOnce)
    const hashes = some.map(chunk => chunk.hash).filter(hash => hash !== '')
    return Promise.all([some, readChunks(redis, prefix, hashes)])
  }
  let next = read(0)
  for (let from = chunksAtOnce; ; from += chunksAtOnce) {
    const [some, texts] = await next
    if (some.length === 0) return
    // Redis answers while these are put into the matcher.
    next = read(from)
    next.catch(() => {}) // it is awaited, unless the caller has heard enough
    for (const { hash, at } of some) yield rules.changeTo(at, hash, texts.get(hash) ?? '')
  }
}
