import { type Manifest, manifestSchema } from '@tocsin/contracts/snapshot'
import { AppError, messageOf } from '@tocsin/runtime/errors'
import type { Logger } from '@tocsin/runtime/logger'
import { type Redis, rethrowRedis } from './connection.ts'
import { badSnapshot, hashOfChunks, type PackedChunk, unpackChunk } from './snapshot-chunk.ts'

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
}

/**
 * KEYS: current, then the chunks of the manifest that its base does not have, then those of the base that it does not
 * have. A current that cannot be read counts as none.
 */
const swap = `
local version, token, base = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local added, grace = tonumber(ARGV[5]), ARGV[6]
local kind = redis.call('TYPE', KEYS[1]).ok
if kind ~= 'hash' then redis.call('DEL', KEYS[1]) end
local held = redis.call('HMGET', KEYS[1], 'version', 'token')
local heldVersion, heldToken = tonumber(held[1]), tonumber(held[2])
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
redis.call('PUBLISH', ARGV[8], ARGV[2])
return {'published'}
`

/** Replaces the base, if that is still there, and nothing newer, and every chunk of the manifest. */
export async function swapManifest(
  redis: Redis,
  prefix: string,
  { manifest, base, isConfirmed, confirmedUntilMs = Number.MAX_SAFE_INTEGER }: Swap,
): Promise<SwapOutcome> {
  const before = chunkHashes(base)
  const after = chunkHashes(manifest)
  const added = [...after.difference(before)].map(hash => chunkKey(prefix, hash))
  const removed = [...before.difference(after)].map(hash => chunkKey(prefix, hash))
  const keys = [currentKey(prefix), ...added, ...removed]
  const { version, token } = manifest
  const args = [JSON.stringify(manifest), version, token, base?.version ?? -1, added.length, chunkGraceMs]
  const rest = [isConfirmed ? 'confirmed' : '', channel(prefix), confirmedUntilMs]
  const answer = (await redis.eval(swap, keys.length, ...keys, ...args, ...rest).catch(rethrowRedis)) as string[]
  const [outcome, heldVersion, heldToken] = answer
  return { outcome, version: Number(heldVersion), token: Number(heldToken) } as SwapOutcome
}

/**
 * Puts chunks where the swap will look for them. They expire unless a swap keeps them, so a writer that dies leaves
 * nothing. NX, because an older leader that wakes up may write a chunk that the snapshot of its successor has: it must
 * not give it an end. One that is about to expire may be gone before the swap, which then says `lost`.
 */
export async function writeChunks(redis: Redis, prefix: string, chunks: readonly PackedChunk[]): Promise<void> {
  const pipeline = redis.pipeline()
  for (const { entry, packed } of chunks) {
    if (packed !== undefined) pipeline.set(chunkKey(prefix, entry.hash), packed, 'PX', chunkGraceMs, 'NX')
  }
  await execute(pipeline)
}

/** For chunks of the current snapshot that are gone or damaged: as they should be, and for good. */
export async function restoreChunks(redis: Redis, prefix: string, chunks: readonly PackedChunk[]): Promise<void> {
  const pipeline = redis.pipeline()
  for (const { entry, packed } of chunks) {
    if (packed !== undefined) pipeline.set(chunkKey(prefix, entry.hash), packed)
  }
  await execute(pipeline)
}

async function execute(pipeline: ReturnType<Redis['pipeline']>): Promise<void> {
  const results = await pipeline.exec().catch(rethrowRedis)
  const failed = results?.find(([error]) => error !== null)
  if (failed) rethrowRedis(failed[0])
}

/** What `confirmedUntilMs` is counted from. */
export async function readClockMs(redis: Redis): Promise<number> {
  const [seconds, micros] = await redis.time().catch(rethrowRedis)
  return Number(seconds) * 1_000 + Math.floor(Number(micros) / 1_000)
}

/** Cheap: asked every second by every reader. Undefined when there is none, as in a Redis that is new or was flushed. */
export async function readVersion(redis: Redis, prefix: string): Promise<number | undefined> {
  const version = await readField(redis, prefix, 'version')
  return version === null ? undefined : Number(version)
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

/** So many at a time: an answer of a few MB, whatever the size of the snapshot. */
const chunksPerRead = 32

/** The texts of these chunks by hash, each verified, or an error: never a part of them. */
export async function readChunks(
  redis: Redis,
  prefix: string,
  hashes: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  const texts = new Map<string, string>()
  for (let from = 0; from < hashes.length; from += chunksPerRead) {
    const some = hashes.slice(from, from + chunksPerRead)
    const packed = await redis.mgetBuffer(some.map(hash => chunkKey(prefix, hash))).catch(rethrowRedis)
    const unpacked = await Promise.all(some.map((hash, at) => unpack(hash, packed[at] ?? null)))
    for (const [at, hash] of some.entries()) texts.set(hash, unpacked[at] as string)
  }
  return texts
}

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

/**
 * KEYS: current, then chunks that a snapshot does not have; ARGV: their hashes. Asks the current snapshot again: a leader
 * that was frozen since it looked would otherwise take away what its successor has published. NX: those that expire
 * already keep their time.
 */
const expire = `
local manifest = redis.call('HGET', KEYS[1], 'manifest')
if not manifest then return 0 end
local strays = 0
for i = 2, #KEYS do
  if not string.find(manifest, ARGV[i], 1, true) then
    strays = strays + redis.call('PEXPIRE', KEYS[i], ARGV[1], 'NX')
  end
end
return strays
`

/** Chunks that stay although no manifest names them: a flush or a restored Redis took the manifest that knew of them. */
export async function expireStrayChunks(redis: Redis, prefix: string, manifest: Manifest): Promise<number> {
  const known = chunkHashes(manifest)
  const start = chunkKey(prefix, '')
  let strays = 0
  for (let cursor = ''; cursor !== '0'; ) {
    const found = redis.scan(cursor || '0', 'MATCH', `${start}*`, 'COUNT', 1_000)
    const [next, keys] = await found.catch(rethrowRedis)
    const unknown = keys.map(key => key.slice(start.length)).filter(hash => !known.has(hash))
    if (unknown.length > 0) {
      const all = [currentKey(prefix), ...unknown.map(hash => chunkKey(prefix, hash))]
      strays += (await redis.eval(expire, all.length, ...all, chunkGraceMs, ...unknown).catch(rethrowRedis)) as number
    }
    cursor = next
  }
  return strays
}

/**
 * Calls `wake` whenever a snapshot was published, and whenever the subscription begins: what was published while this
 * connection was away was told to nobody. `redis` must be a connection of its own: it can do nothing else any more.
 */
export function subscribeToSnapshots(redis: Redis, prefix: string, log: Logger, wake: () => void): void {
  const subscribe = async () => {
    try {
      await redis.subscribe(channel(prefix))
      wake()
    } catch (error) {
      // The connection went away again. The next 'ready' subscribes; readers look by themselves meanwhile.
      log.debug({ error: messageOf(error) }, 'cannot subscribe to snapshots')
    }
  }
  redis.on('message', wake)
  redis.on('ready', subscribe)
  if (redis.status === 'ready') void subscribe()
}

function chunkHashes(manifest: Manifest | undefined): ReadonlySet<string> {
  return new Set(manifest?.chunks.map(chunk => chunk.hash).filter(hash => hash !== ''))
}

const currentKey = (prefix: string) => `${prefix}snapshot:current`
const chunkKey = (prefix: string, hash: string) => `${prefix}snapshot:chunk:${hash}`
const channel = (prefix: string) => `${prefix}snapshot`
