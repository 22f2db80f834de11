import { createHash } from 'node:crypto'
import { type Manifest, manifestSchema, type SnapshotRule, snapshotRuleSchema } from '@tocsin/contracts/snapshot'
import { AppError, messageOf } from '@tocsin/runtime/errors'
import type { Logger } from '@tocsin/runtime/logger'
import { z } from 'zod'
import { type Redis, rethrowRedis } from './connection.ts'

/**
 * Readers see whole snapshots only. A body lies under a key of its own version and is never changed; what readers
 * follow is the manifest in `snapshot:current`, and swapping that one key is the only step that anybody can see.
 */
export interface Snapshot {
  manifest: Manifest
  rules: SnapshotRule[]
}

/** The rules as they are stored. The same rules in the same order always give the same hash. */
export interface SnapshotBody {
  text: string
  hash: string
  rules: number
}

export type PublishOutcome = { published: true } | { published: false; current_version: number }

/**
 * How long a body stays that no manifest names: one that a newer replaced, which a reader may be about to fetch, and
 * one that was never swapped in because its writer died. A reader needs milliseconds between manifest and body (at
 * most a command's time-out of 5 s), and every second costs memory: a writer with 100,000 rules leaves 30 MB a swap.
 */
export const bodyGraceMs = 10_000

/** Bodies are large: reading one again and again because writers are quick must come to an end. */
const readAttempts = 3

export function encodeSnapshot(rules: readonly SnapshotRule[]): SnapshotBody {
  const text = JSON.stringify(rules)
  return { text, hash: sha256(text), rules: rules.length }
}

/**
 * Swaps the pointer, unless it is there already or further on. Versions come from Postgres, so they are the fencing
 * token too: a writer that slept through another's turn is told so here. A pointer that cannot be read counts as none.
 */
const swap = `
local current = redis.call('GET', KEYS[1])
local readable, manifest = pcall(cjson.decode, current or 'null')
local old = readable and type(manifest) == 'table' and tonumber(manifest.version) or nil
if old and old >= tonumber(ARGV[2]) then return {'older', string.format('%.0f', old)} end
if redis.call('EXISTS', KEYS[2]) == 0 then return {'no body'} end
redis.call('PERSIST', KEYS[2])
redis.call('SET', KEYS[1], ARGV[1])
if old then redis.call('PEXPIRE', ARGV[3] .. string.format('%.0f', old), ARGV[4]) end
redis.call('PUBLISH', ARGV[5], ARGV[2])
return {'published'}
`

/** Body first, pointer second. False when Redis holds this version or a newer one: then nothing was changed. */
export async function publishSnapshot(
  redis: Redis,
  prefix: string,
  version: number,
  body: SnapshotBody,
  builtAt = new Date(),
): Promise<PublishOutcome> {
  const manifest: Manifest = { version, hash: body.hash, rules: body.rules, built_at: builtAt.toISOString() }
  const keys = [currentKey(prefix), bodyKey(prefix, version)]
  const args = [JSON.stringify(manifest), String(version), bodyKey(prefix, ''), String(bodyGraceMs), channel(prefix)]
  try {
    await redis.set(bodyKey(prefix, version), body.text, 'PX', bodyGraceMs)
    const [outcome, current] = (await redis.eval(swap, keys.length, ...keys, ...args)) as [string, string?]
    if (outcome === 'published') return { published: true }
    if (outcome === 'older') return { published: false, current_version: Number(current) }
  } catch (error) {
    rethrowRedis(error)
  }
  throw new AppError('snapshot_lost', `Redis lost the body of snapshot ${version} before it was swapped in`, {
    retryable: true,
  })
}

/** What readers are pointed to; undefined when there is nothing, which a flushed Redis and a new one have in common. */
export async function readManifest(redis: Redis, prefix: string): Promise<Manifest | undefined> {
  const text = await redis.get(currentKey(prefix)).catch(rethrowRedis)
  return text === null ? undefined : parse(manifestSchema, text, 'the manifest of the current snapshot')
}

/**
 * For the writer: the manifest of a snapshot that readers can load, or undefined when there is something to repair.
 * That the body is there is looked at every time (a Redis short of memory may have evicted it), its bytes when asked.
 */
export async function findIntactManifest(
  redis: Redis,
  prefix: string,
  { readBody = false } = {},
): Promise<Manifest | undefined> {
  const text = await redis.get(currentKey(prefix)).catch(rethrowRedis)
  const manifest = manifestSchema.safeParse(parseJson(text)).data
  if (manifest === undefined) return undefined
  const key = bodyKey(prefix, manifest.version)
  const intact = readBody
    ? sha256((await redis.get(key).catch(rethrowRedis)) ?? '') === manifest.hash
    : (await redis.exists(key).catch(rethrowRedis)) === 1
  return intact ? manifest : undefined
}

/** The current snapshot, whole and checked, or an error: never a part of one. */
export async function readSnapshot(redis: Redis, prefix: string): Promise<Snapshot | undefined> {
  for (let attempt = 1; ; attempt++) {
    const manifest = await readManifest(redis, prefix)
    if (manifest === undefined) return undefined
    const text = await redis.get(bodyKey(prefix, manifest.version)).catch(rethrowRedis)
    if (text !== null) return { manifest, rules: checkedRules(manifest, text) }
    // Replaced so long ago that it expired between the two reads: there is a newer one. Or Redis was flushed in between.
    if (attempt === readAttempts) {
      throw badSnapshot(`snapshot ${manifest.version} has a manifest but no body`)
    }
  }
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

const rulesSchema = z.array(snapshotRuleSchema)

function checkedRules(manifest: Manifest, text: string): SnapshotRule[] {
  if (sha256(text) !== manifest.hash)
    throw badSnapshot(`the body of snapshot ${manifest.version} is not what was written`)
  return parse(rulesSchema, text, `snapshot ${manifest.version}`)
}

function parse<Schema extends z.ZodType>(schema: Schema, text: string, what: string): z.infer<Schema> {
  try {
    return schema.parse(JSON.parse(text))
  } catch (error) {
    throw badSnapshot(`${what} cannot be read: ${messageOf(error)}`, error)
  }
}

function parseJson(text: string | null): unknown {
  try {
    return JSON.parse(text ?? 'null')
  } catch {
    return undefined
  }
}

/** Retryable: the rule-updater compares Redis with Postgres all the time and puts a good one in its place. */
function badSnapshot(message: string, cause?: unknown): AppError {
  return new AppError('bad_snapshot', message, { retryable: true, cause })
}

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex')
const currentKey = (prefix: string) => `${prefix}snapshot:current`
const bodyKey = (prefix: string, version: number | '') => `${prefix}snapshot:${version}`
const channel = (prefix: string) => `${prefix}snapshot`
