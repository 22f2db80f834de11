import type { Redis } from '@tocsin/redis/connection'
import { eventually } from '@tocsin/testkit/eventually'
import { startGate, targetOf } from '@tocsin/testkit/gate'
import { testServers } from '@tocsin/testkit/servers'
import { describe, expect } from 'vitest'
import { chunkKey, flush, publishSnapshot } from './publish-snapshot.ts'
import { inUse, keepErrors, metric, rulesOf, test, versionsOf } from './snapshot-fixture.ts'

interface Harmed {
  redis: Redis
  prefix: string
  chunk: string
  other: string
  current: string
}

describe('the last good rules stay', () => {
  const harms: [string, string, (context: Harmed) => Promise<unknown>][] = [
    ['a chunk is gone', 'bad_snapshot', ({ redis, chunk }) => redis.del(chunk)],
    ['a chunk is no text', 'bad_snapshot', ({ redis, chunk }) => redis.multi().del(chunk).rpush(chunk, 'x').exec()],
    ['a chunk is damaged', 'bad_snapshot', ({ redis, chunk }) => redis.setrange(chunk, 9, 'damaged')],
    ['a chunk is another one', 'bad_snapshot', ({ redis, chunk, other }) => redis.copy(other, chunk, 'REPLACE')],
    ['the manifest is no JSON', 'bad_snapshot', ({ redis, current }) => redis.hset(current, 'manifest', '{')],
    ['current is something else', 'bad_snapshot', async ({ redis, current }) => redis.set(current, 'x')],
    ['Redis was flushed', 'snapshot_gone', ({ redis, prefix }) => flush(redis, prefix)],
  ]
  test.for(harms)('%s', async ([, code, harm], { redis, prefix, startCache }) => {
    const errors: string[] = []
    const { cache } = startCache({ log: keepErrors(errors) })
    await publishSnapshot(redis, prefix, rulesOf(1, 40), { version: 1, chunkCount: 4 })
    await inUse(cache, 1)
    const failures = await metric('tocsin_evaluator_snapshot_failures_total', { code })

    const { chunks } = await publishSnapshot(redis, prefix, rulesOf(2, 40), { version: 2, chunkCount: 4 })
    const [chunk, other] = chunks.map(({ hash }) => chunkKey(prefix, hash))
    await harm({ redis, prefix, chunk: chunk!, other: other!, current: `${prefix}snapshot:current` })
    await eventually(async () => {
      cache.wake()
      expect(await metric('tocsin_evaluator_snapshot_failures_total', { code })).toBeGreaterThan(failures + 2)
    })

    expect(new Set(versionsOf(cache))).toEqual(new Set([1]))
    expect(() => cache.check()).not.toThrow()
    const since = await metric('tocsin_evaluator_snapshot_failing_since_seconds')
    expect(Math.abs(Date.now() / 1_000 - since)).toBeLessThan(15)
    expect(cache.status()).toMatchObject({ snapshot_version: 1, snapshot_failing_since: expect.any(String) })
    // Once, however many looks.
    expect(errors).toHaveLength(code === 'bad_snapshot' ? 1 : 0)

    await flush(redis, prefix)
    await publishSnapshot(redis, prefix, rulesOf(3, 40), { version: 3, chunkCount: 4 })
    await inUse(cache, 3)
    expect(new Set(versionsOf(cache))).toEqual(new Set([3]))
    await eventually(async () => expect(await metric('tocsin_evaluator_snapshot_failing_since_seconds')).toBe(0))
    expect(cache.status().snapshot_failure).toBeUndefined()
  })

  test('Redis shows an older version; and comes back with the same one', async ({ redis, prefix, startCache }) => {
    const { cache } = startCache()
    await publishSnapshot(redis, prefix, rulesOf(7, 3), { version: 7 })
    await inUse(cache, 7)
    await flush(redis, prefix)
    await publishSnapshot(redis, prefix, rulesOf(6, 3), { version: 6 })
    await eventually(() => {
      cache.wake()
      expect(cache.status().snapshot_failure).toContain('snapshot 6')
    })
    expect(new Set(versionsOf(cache))).toEqual(new Set([7]))

    await publishSnapshot(redis, prefix, rulesOf(7, 3), { version: 7 })
    await eventually(() => {
      cache.wake()
      expect(cache.status().snapshot_failure).toBeUndefined()
    })
  })

  test('the same version with other rules is of another history, and is taken', async ({
    redis,
    prefix,
    startCache,
  }) => {
    const { cache } = startCache()
    await publishSnapshot(redis, prefix, rulesOf(1, 3), { version: 1 })
    await inUse(cache, 1)
    await flush(redis, prefix)
    await publishSnapshot(redis, prefix, rulesOf(2, 3), { version: 1 })
    await eventually(() => {
      cache.wake()
      expect(new Set(versionsOf(cache))).toEqual(new Set([2]))
    })
  })

  test('Redis is away, and comes back empty', async ({ redis, connect, prefix, startCache }) => {
    await using gate = await startGate(targetOf(testServers().redisUrl))
    const { cache } = startCache({ redis: connect(`redis://${gate.host}:${gate.port}`) })
    await eventually(() => expect(() => cache.check()).toThrow('Redis'))
    await gate.open()
    await publishSnapshot(redis, prefix, rulesOf(1, 3), { version: 1 })
    await inUse(cache, 1)

    await gate.close()
    await eventually(() => expect(cache.status().snapshot_failure).toContain('Redis:'))
    await flush(redis, prefix)
    await gate.open()
    await eventually(() => expect(cache.status().snapshot_failure).toBe('Redis holds no snapshot'))
    expect(new Set(versionsOf(cache))).toEqual(new Set([1]))

    await publishSnapshot(redis, prefix, rulesOf(2, 3), { version: 2 })
    await inUse(cache, 2)
  })
})
