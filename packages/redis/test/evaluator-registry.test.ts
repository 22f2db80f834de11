import { setTimeout as sleep } from 'node:timers/promises'
import { expect } from 'vitest'
import { evaluatorTtlMs, heartbeat, readEvaluators, refusedIdsMax, removeEvaluator } from '../src/evaluator-registry.ts'
import { test } from './private-redis.ts'

const since = '2026-07-01T08:00:00.000Z'

test('every evaluator that sends heartbeats is listed with its latest version, and since when it has that', async ({
  redis,
  prefix,
}) => {
  const later = '2026-07-01T08:00:01.250Z'
  await heartbeat(redis, prefix, { evaluator_id: 'b', snapshot_version: 4, since })
  await heartbeat(redis, prefix, { evaluator_id: 'a', snapshot_version: 4, since })
  await heartbeat(redis, prefix, { evaluator_id: 'b', snapshot_version: 5, since: later })

  expect(await readEvaluators(redis, prefix)).toEqual([
    { evaluator_id: 'a', snapshot_version: 4, since },
    { evaluator_id: 'b', snapshot_version: 5, since: later },
  ])
})

test('rules that an evaluator cannot use are counted, and as many of them named as one entry takes', async ({
  redis,
  prefix,
}) => {
  const few = { rules: 2, rule_ids: ['rul_1', 'rul "2"'] }
  const many = { rules: 5_000, rule_ids: Array.from({ length: refusedIdsMax }, (_, index) => `rul_${index}`) }
  await heartbeat(redis, prefix, { evaluator_id: 'a', snapshot_version: 4, since, refused: few })
  await heartbeat(redis, prefix, { evaluator_id: 'b', snapshot_version: 4, since, refused: many })
  expect(await readEvaluators(redis, prefix)).toEqual([
    { evaluator_id: 'a', snapshot_version: 4, since, refused: few },
    { evaluator_id: 'b', snapshot_version: 4, since, refused: many },
  ])
})

test('one that falls silent is gone after its time, while the others stay', async ({ redis, prefix }) => {
  await heartbeat(redis, prefix, { evaluator_id: 'silent', snapshot_version: 1, since }, 150)
  await heartbeat(redis, prefix, { evaluator_id: 'alive', snapshot_version: 1, since }, 5_000)
  expect(await readEvaluators(redis, prefix)).toHaveLength(2)

  await sleep(200)

  expect(await readEvaluators(redis, prefix)).toEqual([{ evaluator_id: 'alive', snapshot_version: 1, since }])
  await heartbeat(redis, prefix, { evaluator_id: 'alive', snapshot_version: 1, since })
  expect(await redis.hkeys(`${prefix}evaluators`)).toEqual(['alive'])
})

test('a short heartbeat does not shorten the life of the others', async ({ redis, prefix }) => {
  await heartbeat(redis, prefix, { evaluator_id: 'long', snapshot_version: 1, since }, 5_000)
  await heartbeat(redis, prefix, { evaluator_id: 'short', snapshot_version: 1, since }, 50)
  await sleep(100)
  expect(await readEvaluators(redis, prefix)).toEqual([{ evaluator_id: 'long', snapshot_version: 1, since }])
})

test('one that stops is gone at once', async ({ redis, prefix }) => {
  await heartbeat(redis, prefix, { evaluator_id: 'a', snapshot_version: 1, since })
  await removeEvaluator(redis, prefix, 'a')
  expect(await readEvaluators(redis, prefix)).toEqual([])
})

test('nothing is left in Redis when nobody sends heartbeats any more', async ({ redis, prefix }) => {
  expect(await readEvaluators(redis, prefix)).toEqual([])
  await heartbeat(redis, prefix, { evaluator_id: 'a', snapshot_version: 1, since })
  const left = await redis.pttl(`${prefix}evaluators`)
  expect(left).toBeGreaterThan(evaluatorTtlMs / 2)
  expect(left).toBeLessThanOrEqual(evaluatorTtlMs)
})

test('one that died before the clock of Redis was set back counts no more', async ({ redis, prefix }) => {
  const registry = `${prefix}evaluators`
  await heartbeat(redis, prefix, { evaluator_id: 'dead', snapshot_version: 1, since })
  const later = (await redis.hget(registry, 'dead'))!.replace(/^\d+/, expiry => String(Number(expiry) + 60_000))
  await redis.hset(registry, 'dead', later)
  await redis.pexpire(registry, evaluatorTtlMs + 60_000)
  expect(await readEvaluators(redis, prefix)).toEqual([])

  await heartbeat(redis, prefix, { evaluator_id: 'alive', snapshot_version: 1, since })
  expect(await redis.hkeys(registry)).toEqual(['alive'])
  expect(await redis.pttl(registry)).toBeLessThanOrEqual(evaluatorTtlMs)
})

test('whatever else a field may hold is left out instead of failing the list', async ({ redis, prefix }) => {
  await heartbeat(redis, prefix, { evaluator_id: 'a', snapshot_version: 1, since })
  const now = Date.now() + 1_000
  await redis.hset(`${prefix}evaluators`, {
    b: 'nonsense',
    c: '99999999999999 1',
    d: '',
    e: `${now} {}`,
    f: `${now} {`,
    g: `${now} {"snapshot_version": 9007199254740990, "since": "${since}"}`,
    h: `${now} {"snapshot_version": 99999999999999999999, "since": "${since}"}`,
  })
  expect(await readEvaluators(redis, prefix)).toEqual([{ evaluator_id: 'a', snapshot_version: 1, since }])
  await heartbeat(redis, prefix, { evaluator_id: 'a', snapshot_version: 2, since })
  expect(await readEvaluators(redis, prefix)).toEqual([{ evaluator_id: 'a', snapshot_version: 2, since }])
})

test('another type under the key is nobody, and the next heartbeat replaces it', async ({ redis, prefix }) => {
  const registry = `${prefix}evaluators`
  for (const damage of [() => redis.set(registry, 'x'), () => redis.rpush(registry, 'x')]) {
    await redis.del(registry)
    await damage()
    expect(await readEvaluators(redis, prefix)).toEqual([])
    await heartbeat(redis, prefix, { evaluator_id: 'a', snapshot_version: 1, since })
    expect(await readEvaluators(redis, prefix)).toEqual([{ evaluator_id: 'a', snapshot_version: 1, since }])
    expect(await redis.pttl(registry)).toBeGreaterThan(0)
  }
})

test('Redis that cannot be reached is a failure that a retry may help', async ({ connect, prefix }) => {
  const redis = await connect()
  redis.disconnect()
  await expect(heartbeat(redis, prefix, { evaluator_id: 'a', snapshot_version: 1, since })).rejects.toMatchObject({
    code: 'redis_unavailable',
    retryable: true,
  })
})
