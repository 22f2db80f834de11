import { versionNumber } from '@tocsin/contracts/snapshot'
import { z } from 'zod'
import { type Redis, rethrowRedis } from './connection.ts'

/**
 * Which evaluators run, and with which snapshot each of them matches: one hash, a field per evaluator, each with the
 * time at which it stops to count. That time is Redis's own, so that machines whose clocks differ agree on who is there.
 */
export interface RunningEvaluator {
  evaluator_id: string
  snapshot_version: number
  /** When it began to match with that version, by its own clock: RFC 3339. */
  since: string
  /** Rules of that snapshot that it leaves out because it cannot use them. Absent: none. */
  refused?: RefusedRules | undefined
}

export interface RefusedRules {
  rules: number
  /** The first of them, at most `refusedIdsMax`. */
  rule_ids: string[]
}

/** 30 KB in each heartbeat, at the worst. */
export const refusedIdsMax = 1_000

/** Five heartbeats a second apart: one that is late because of a long garbage collection does not look like a death. */
export const evaluatorTtlMs = 5_000

/**
 * An expiry further off than any heartbeat makes it was written before the clock of Redis was set back: whoever lives
 * writes another one within a second.
 */
const isHere = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local function isHere(expiry)
  expiry = tonumber(expiry)
  return expiry and expiry > now and expiry <= now + ${evaluatorTtlMs}
end
`

/**
 * The field's value is `<expiry> <the rest as JSON>`. Sweeps who is gone while it is here, and whatever else somebody put
 * under the key; the key goes with the last of them.
 */
const beat = `${isHere}
if redis.call('TYPE', KEYS[1]).ok ~= 'hash' then redis.call('DEL', KEYS[1]) end
local entries = redis.call('HGETALL', KEYS[1])
for i = 1, #entries, 2 do
  if not isHere(string.match(entries[i + 1], '^%d+')) then redis.call('HDEL', KEYS[1], entries[i]) end
end
redis.call('HSET', KEYS[1], ARGV[1], string.format('%.0f', now + ARGV[2]) .. ' ' .. ARGV[3])
local left = redis.call('PTTL', KEYS[1])
if left < tonumber(ARGV[2]) or left > ${evaluatorTtlMs} then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
`

export async function heartbeat(
  redis: Redis,
  prefix: string,
  { evaluator_id, ...entry }: RunningEvaluator,
  ttlMs: number = evaluatorTtlMs,
): Promise<void> {
  await redis.eval(beat, 1, key(prefix), evaluator_id, ttlMs, JSON.stringify(entry)).catch(rethrowRedis)
}

/** One that stops says so, instead of counting as "not live yet" until its entry expires. */
export async function removeEvaluator(redis: Redis, prefix: string, evaluatorId: string): Promise<void> {
  await redis.hdel(key(prefix), evaluatorId).catch(rethrowRedis)
}

const live = `${isHere}
local found = {}
if redis.call('TYPE', KEYS[1]).ok ~= 'hash' then return found end
local entries = redis.call('HGETALL', KEYS[1])
for i = 1, #entries, 2 do
  local expiry, entry = string.match(entries[i + 1], '^(%d+) (.+)$')
  if isHere(expiry) then
    found[#found + 1] = {entries[i], entry}
  end
end
return found
`

const entrySchema = z.object({
  snapshot_version: versionNumber,
  since: z.string(),
  refused: z.object({ rules: z.number().int(), rule_ids: z.array(z.string()) }).optional(),
})

/** Those that sent a heartbeat lately, by id. */
export async function readEvaluators(redis: Redis, prefix: string): Promise<RunningEvaluator[]> {
  const found = (await redis.eval(live, 1, key(prefix)).catch(rethrowRedis)) as [string, string][]
  return found
    .flatMap(([evaluator_id, text]) => {
      const entry = readEntry(text)
      return entry === undefined ? [] : [{ evaluator_id, ...entry }]
    })
    .sort((a, b) => (a.evaluator_id < b.evaluator_id ? -1 : 1))
}

/** Undefined for one that is not ours to read: of a program of another version, perhaps, or with a version that nobody drew. */
function readEntry(text: string): Omit<RunningEvaluator, 'evaluator_id'> | undefined {
  try {
    return entrySchema.parse(JSON.parse(text))
  } catch {
    return undefined
  }
}

const key = (prefix: string) => `${prefix}evaluators`
