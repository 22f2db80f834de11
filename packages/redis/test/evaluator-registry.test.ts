import { setTimeout as sleep } from 'node:timers/promises'
import { expect } from 'vitest'
import { evaluatorTtlMs, heartbeat, readEvaluators, removeEvaluator } from '../src/evaluator-registry.ts'
import { test } from './private-redis.ts'

test('every evaluator that sends heartbeats is listed with its latest version', async ({ redis, prefix }) => {
  await heartbeat(redis, prefix, { evaluator_id: 'b', snapshot_version: 4 })
  await heartbeat(redis, prefix, { evaluator_id: 'a', snapshot_version: 4 })
  await heartbeat(redis, prefix, { evaluator_id: 'b', snapshot_version: 5 })

  expect(await readEvaluators(redis, prefix)).toEqual([
    { evaluator_id: 'a', snapshot_version: 4 },
    { evaluator_id: 'b', snapshot_version: 5 },
  ])
})

test('one that falls silent is gone after its time, while the others stay', async ({ redis, prefix }) => {
  await heartbeat(redis, prefix, { evaluator_id: 'silent', snapshot_version: 1 }, 150)
  await heartbeat(redis, prefix, { evaluator_id: 'alive', snapshot_version: 1 }, 5_000)
  expect(await readEvaluators(redis, prefix)).toHaveLength(2)

  await sleep(200)

  expect(await readEvaluators(redis, prefix)).toEqual([{ evaluator_id: 'alive', snapshot_version: 1 }])
  await heartbeat(redis, prefix, { evaluator_id: 'alive', snapshot_version: 1 })
  expect(await redis.hkeys(`${prefix}evaluators`)).toEqual(['alive'])
})

test('a short heartbeat does not shorten the life of the others', async ({ redis, prefix }) => {
  await heartbeat(redis, prefix, { evaluator_id: 'long', snapshot_version: 1 }, 5_000)
  await heartbeat(redis, prefix, { evaluator_id: 'short', snapshot_version: 1 }, 50)
  await sleep(100)
  expect(await readEvaluators(redis, prefix)).toEqual([{ evaluator_id: 'long', snapshot_version: 1 }])
})

test('one that stops is gone at once', async ({ redis, prefix }) => {
  await heartbeat(redis, prefix, { evaluator_id: 'a', snapshot_version: 1 })
  await removeEvaluator(redis, prefix, 'a')
  expect(await readEvaluators(redis, prefix)).toEqual([])
})

test('nothing is left in Redis when nobody sends heartbeats any more', async ({ redis, prefix }) => {
  expect(await readEvaluators(redis, prefix)).toEqual([])
  await heartbeat(redis, prefix, { evaluator_id: 'a', snapshot_version: 1 })
  const left = await redis.pttl(`${prefix}evaluators`)
  expect(left).toBeGreaterThan(evaluatorTtlMs / 2)
  expect(left).toBeLessThanOrEqual(evaluatorTtlMs)
})

test('whatever else a field may hold is left out instead of failing the list', async ({ redis, prefix }) => {
  await heartbeat(redis, prefix, { evaluator_id: 'a', snapshot_version: 1 })
  await redis.hset(`${prefix}evaluators`, 'b', 'nonsense', 'c', '99999999999999', 'd', '')
  expect(await readEvaluators(redis, prefix)).toEqual([{ evaluator_id: 'a', snapshot_version: 1 }])
  await heartbeat(redis, prefix, { evaluator_id: 'a', snapshot_version: 2 })
  expect(await readEvaluators(redis, prefix)).toEqual([{ evaluator_id: 'a', snapshot_version: 2 }])
})

test('Redis that cannot be reached is a failure that a retry may help', async ({ connect, prefix }) => {
  const redis = await connect()
  redis.disconnect()
  await expect(heartbeat(redis, prefix, { evaluator_id: 'a', snapshot_version: 1 })).rejects.toMatchObject({
    code: 'redis_unavailable',
    retryable: true,
  })
})
