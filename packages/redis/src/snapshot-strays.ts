import type { Manifest } from '@tocsin/contracts/snapshot'
import { type Redis, rethrowRedis } from './connection.ts'
import { chunkHashes, chunkKey, currentKey } from './snapshot-keys.ts'
import { chunkGraceMs, readManifest } from './snapshot-store.ts'

/**
 * KEYS: current, then chunks that the manifest of this version does not name. Those that have an end already keep it.
 * False when another version is there, which may name them: a leader that was paused meanwhile must not end chunks of
 * its successor.
 */
const expireStrays = `
if redis.call('TYPE', KEYS[1]).ok ~= 'hash' or redis.call('HGET', KEYS[1], 'version') ~= ARGV[1] then return false end
local strays = 0
for i = 2, #KEYS do
  if redis.call('PTTL', KEYS[i]) == -1 then strays = strays + redis.call('PEXPIRE', KEYS[i], ARGV[2]) end
end
return strays
`

/** Chunks that stay although no manifest names them: a flush or a restored Redis took the manifest that knew of them. */
export async function expireStrayChunks(redis: Redis, prefix: string, manifest: Manifest): Promise<number> {
  // In a pattern some signs mean more than themselves, and keys of another prefix are not ours to end.
  const ours = `${chunkKey(prefix, '').replace(/[*?[\]\\]/g, '\\$&')}*`
  let current: Manifest | undefined = manifest
  let strays = 0
  let cursor = '0'
  do {
    const [next, keys] = await redis.scan(cursor, 'MATCH', ours, 'COUNT', 1_000).catch(rethrowRedis)
    const expired = await expireUnnamed(redis, prefix, current, keys)
    // Among many other keys, a look takes longer than a version lasts: it goes on with the next one of the same leader.
    if (expired === null) current = await readManifest(redis, prefix)
    if (current?.token !== manifest.token) return strays
    strays += expired ?? (await expireUnnamed(redis, prefix, current, keys)) ?? 0
    cursor = next
  } while (cursor !== '0')
  return strays
}

/** How many of these got an end; null when another manifest is there than this one. */
async function expireUnnamed(redis: Redis, prefix: string, manifest: Manifest, keys: readonly string[]) {
  const known = new Set([...chunkHashes(manifest)].map(hash => chunkKey(prefix, hash)))
  const unknown = [currentKey(prefix), ...keys.filter(key => !known.has(key))]
  const args = [String(manifest.version), chunkGraceMs]
  return (await redis.eval(expireStrays, unknown.length, ...unknown, ...args).catch(rethrowRedis)) as number | null
}
