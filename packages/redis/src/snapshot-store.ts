import {
  type ChunkEntry,
  type Manifest,
  manifestSchema,
  type SnapshotNews,
  versionMax,
} from '@tocsin/contracts/snapshot'
import { AppError, messageOf } from '@tocsin/runtime/errors'
import { type Redis, rethrowRedis } from './connection.ts'
import { badSnapshot, hashOfChunks, type PackedChunk, unpackChunk } from './snapshot-chunk.ts'
import { channel, chunkHashes, chunkKey, currentKey } from './snapshot-keys.ts'
import { messageFor } from './snapshot-news.ts'

/**
 * Readers see whole snapshots only. Chunks lie under keys that are named by what is in them and never change; what
 * readers follow is the hash `snapshot:current` with the manifest, and replacing that is the only step that anybody can
 * see. A chunk that no manifest names any more stays for a while, for readers that have just read the one before.
 */
export const chunkGraceMs = 10_000

export type SwapOutcome =
  | { outcome: 'published' }
  /** Redis holds nothing. It was flushed, and with it went what an older leader would be refused by. */
  | { outcome: 'empty' }
  /** Redis holds a version or a token that is not below ours. */
  | { outcome: 'older'; version: number; token: number }
  /** Redis holds another manifest than the one that we replace. */
  | { outcome: 'moved'; version: number }
  /** A chunk is gone that the manifest needs. */
  | { outcome: 'lost' }

export interface Swap {
  manifest: Manifest
  /** What it replaces; undefined: nothing. */
  base: Manifest | undefined
  /** That nobody else leads was asked after Redis was found empty. */
  isConfirmed: boolean
  /** By Redis's clock: later somebody else may lead, so the answer counts no more. */
  confirmedUntilMs?: number
  /** Told to whoever listens, in the same step. */
  news?: SnapshotNews | undefined
}

/**
 * KEYS: current, then the chunks of the manifest that must be looked for, then those of the base that it does not have.
 * A current that cannot be read counts as none: `1e999`, `nan` or a number above `versionMax` would refuse all that follow.
 */
const swap = `
local version, token, base = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local added, grace = tonumber(ARGV[5]), ARGV[6]
local kind = redis.call('TYPE', KEYS[1]).ok
if kind ~= 'hash' then redis.call('DEL', KEYS[1]) end
local function number(field)
  local text = redis.call('HGET', KEYS[1], field)
  local found = text and tonumber(string.match(text, '^%d+$'))
  return found and found <= ${versionMax} and found
end
local heldVersion, heldToken = number('version'), number('token')
if heldVersion and heldToken then
  if heldToken > token or heldVersion >= version then
    return {'older', string.format('%.0f', heldVersion), string.format('%.0f', heldToken)}
  end
  if heldVersion ~= base then return {'moved', string.format('%.0f', heldVersion)} end
else
  local time = redis.call('TIME')
  local now = time[1] * 1000 + math.floor(time[2] / 1000)
  if ARGV[7] ~= 'confirmed' or now > tonumber(ARGV[9]) then return {'empty'} end
end
for i = 2, added + 1 do
  if redis.call('EXISTS', KEYS[i]) == 0 then return {'lost'} end
end
for i = 2, added + 1 do redis.call('PERSIST', KEYS[i]) end
redis.call('HSET', KEYS[1], 'version', ARGV[2], 'token', ARGV[3], 'manifest', ARGV[1])
for i = added + 2, #KEYS do redis.call('PEXPIRE', KEYS[i], grace) end
redis.call('PUBLISH', ARGV[8], ARGV[10])
return {'published'}
`

/**
 * Replaces the base, if that is still there and nothing newer, and if the chunks that the base does not have are there
 * too. Where there may be no base any more, in a Redis that was found empty, that is all of them.
 */
export async function swapManifest(
  redis: Redis,
  prefix: string,
  { manifest, base, isConfirmed, confirmedUntilMs = Number.MAX_SAFE_INTEGER, news }: Swap,
): Promise<SwapOutcome> {
  const before = chunkHashes(base)
  const after = chunkHashes(manifest)
  const added = [...(isConfirmed ? after : after.difference(before))].map(hash => chunkKey(prefix, hash))
  const removed = [...before.difference(after)].map(hash => chunkKey(prefix, hash))
  const keys = [currentKey(prefix), ...added, ...removed]
  const { version, token } = manifest
  const args = [JSON.stringify(manifest), version, token, base?.version ?? -1, added.length, chunkGraceMs]
  const rest = [isConfirmed ? 'confirmed' : '', channel(prefix), confirmedUntilMs, messageFor(version, news)]
  const answer = (await redis.eval(swap, keys.length, ...keys, ...args, ...rest).catch(rethrowRedis)) as string[]
  const [outcome, heldVersion, heldToken] = answer
  return { outcome, version: Number(heldVersion), token: Number(heldToken) } as SwapOutcome
}

/**
 * Puts chunks where the swap will look for them. They expire unless a swap keeps them, so a writer that dies leaves
 * nothing. NX, because an older leader that wakes up may write a chunk that the snapshot of its successor has: it must
 * not give it an end. One that is about to expire may be gone before the swap, which then says `lost`.
 */
export function writeChunks(redis: Redis, prefix: string, chunks: readonly PackedChunk[]): Promise<void> {
  return setChunks(redis, prefix, chunks, ['PX', chunkGraceMs, 'NX'])
}

/** For chunks of the current snapshot that are gone or damaged: as they should be, and for good. */
export function restoreChunks(redis: Redis, prefix: string, chunks: readonly PackedChunk[]): Promise<void> {
  return setChunks(redis, prefix, chunks, [])
}

/** So many at a time: some MB on their way, whatever the size of the snapshot. */
const chunksPerCall = 32

async function setChunks(
  redis: Redis,
  prefix: string,
  chunks: readonly PackedChunk[],
  how: readonly (string | number)[],
): Promise<void> {
  for (let from = 0; from < chunks.length; from += chunksPerCall) {
    const some = chunks.slice(from, from + chunksPerCall).filter(chunk => chunk.packed !== undefined)
    const set = some.map(({ entry, packed }) => redis.call('SET', chunkKey(prefix, entry.hash), packed!, ...how))
    await Promise.all(set).catch(rethrowRedis)
  }
}

/** What `confirmedUntilMs` is counted from. */
export async function readClockMs(redis: Redis): Promise<number> {
  const [seconds, micros] = await redis.time().catch(rethrowRedis)
  return Number(seconds) * 1_000 + Math.floor(Number(micros) / 1_000)
}

/** For the leader, which asks every second. Undefined when there is none that the swap would take for one. */
export async function readVersion(redis: Redis, prefix: string): Promise<number | undefined> {
  const version = await readField(redis, prefix, 'version')
  return version !== null && /^\d+$/.test(version) && Number(version) <= versionMax ? Number(version) : undefined
}

/** What readers are pointed to, whole and checked, or an error. */
export async function readManifest(redis: Redis, prefix: string): Promise<Manifest | undefined> {
  const text = await readField(redis, prefix, 'manifest')
  if (text === null) return undefined
  let manifest: Manifest
  try {
    manifest = manifestSchema.parse(JSON.parse(text))
  } catch (error) {
    throw badSnapshot(`the manifest of the current snapshot cannot be read: ${messageOf(error)}`, error)
  }
  if (hashOfChunks(manifest.chunks) !== manifest.hash) {
    throw badSnapshot(`the manifest of snapshot ${manifest.version} is not what was written`)
  }
  return manifest
}

/** Something else under our key is a bad snapshot and not a Redis that is away. */
async function readField(redis: Redis, prefix: string, field: string): Promise<string | null> {
  try {
    return await redis.hget(currentKey(prefix), field)
  } catch (error) {
    if (messageOf(error).startsWith('WRONGTYPE')) throw badSnapshot('snapshot:current is no snapshot', error)
    return rethrowRedis(error)
  }
}

/** The texts of these chunks by hash, each verified, or an error: never a part of them. */
export async function readChunks(
  redis: Redis,
  prefix: string,
  hashes: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  const texts = new Map<string, string>()
  for (let from = 0; from < hashes.length; from += chunksPerCall) {
    const some = hashes.slice(from, from + chunksPerCall)
    const packed = await readPacked(redis, prefix, some)
    const unpacked = await Promise.all(some.map((hash, at) => unpack(hash, packed[at] ?? null)))
    for (const [at, hash] of some.entries()) texts.set(hash, unpacked[at] as string)
  }
  return texts
}

/**
 * The snapshot that readers have, with its chunks as they are, each verified. Undefined when there is none, or when it is
 * not whole.
 */
export async function readSnapshot(
  redis: Redis,
  prefix: string,
  stopping: AbortSignal,
): Promise<{ manifest: Manifest; chunks: PackedChunk[] } | undefined> {
  try {
    const manifest = await readManifest(redis, prefix)
    if (manifest === undefined) return undefined
    const chunks: PackedChunk[] = []
    for (let from = 0; from < manifest.chunks.length; from += chunksPerCall) {
      stopping.throwIfAborted()
      const entries = manifest.chunks.slice(from, from + chunksPerCall)
      const packed = await readPacked(
        redis,
        prefix,
        entries.map(entry => entry.hash),
      )
      for (const [at, entry] of entries.entries()) chunks.push(await verified(entry, packed[at] ?? null))
    }
    return { manifest, chunks }
  } catch (error) {
    if (error instanceof AppError && (error.code === 'bad_snapshot' || error.code === 'chunk_gone')) return undefined
    throw error
  }
}

/** The manifest's hash is of the names of chunks alone: what else it says of them is counted anew. */
async function verified({ hash }: ChunkEntry, packed: Buffer | null): Promise<PackedChunk> {
  if (hash === '') return { entry: { hash, rules: 0, bytes: 0 }, packed: undefined }
  const text = await unpack(hash, packed)
  return { entry: { hash, rules: text.split('\n').length - 1, bytes: packed!.length }, packed: packed! }
}

const readPacked = (redis: Redis, prefix: string, hashes: readonly string[]): Promise<(Buffer | null)[]> =>
  redis.mgetBuffer(hashes.map(hash => chunkKey(prefix, hash))).catch(rethrowRedis)

/** async, so that it always rejects: thrown, it would leave the rejections of chunks beside it unheard. */
async function unpack(hash: string, packed: Buffer | null): Promise<string> {
  if (packed === null) throw new AppError('chunk_gone', `chunk ${hash} is not there`, { retryable: true })
  return unpackChunk(hash, packed)
}

/** The chunks of the manifest that have no key. A Redis short of memory may have evicted some. */
export async function missingChunks(redis: Redis, prefix: string, manifest: Manifest): Promise<string[]> {
  const hashes = [...chunkHashes(manifest)]
  if (hashes.length === 0) return []
  const keys = hashes.map(hash => chunkKey(prefix, hash))
  if ((await redis.exists(...keys).catch(rethrowRedis)) === keys.length) return []
  const present = await Promise.all(keys.map(key => redis.exists(key))).catch(rethrowRedis)
  return hashes.filter((_, at) => present[at] === 0)
}
