import { setTimeout as sleep } from 'node:timers/promises'
import { subscribeToSnapshots } from '@tocsin/redis/snapshot-news'
import { metrics } from '@tocsin/runtime/metrics'
import { eventually } from '@tocsin/testkit/eventually'
import { startGate, targetOf } from '@tocsin/testkit/gate'
import { testServers } from '@tocsin/testkit/servers'
import { afterEach, describe, expect, vi } from 'vitest'
import { SnapshotCache } from '../src/snapshot-cache.ts'
import { chunkKey, publishSnapshot } from './publish-snapshot.ts'
import type { Line } from './rules-in-chunks.ts'
import { inUse, keepErrors, log, metric, rulesOf, test, versionsOf } from './snapshot-fixture.ts'

afterEach(() => vi.restoreAllMocks())

describe('a snapshot is taken into use', () => {
  test('none yet is waiting; one without rules is enough', async ({ redis, prefix, startCache }) => {
    const { cache } = startCache()
    await sleep(50)
    expect(() => cache.check()).toThrow('there is no snapshot yet')
    await publishSnapshot(redis, prefix, [], { version: 1 })
    await inUse(cache, 1)
    expect(() => cache.check()).not.toThrow()
    expect(versionsOf(cache)).toEqual([])
  })

  test('a change is applied to the rules in use, and of the chunks only its own is read', async ({
    redis,
    prefix,
    startCache,
  }) => {
    const { cache, told } = startCache()
    const first = await publishSnapshot(redis, prefix, rulesOf(1, 64), { version: 1, chunkCount: 8 })
    await inUse(cache, 1)
    const rules = cache.current
    const changed: Line[] = rulesOf(1, 64).with(9, rulesOf(2, 64)[9]!)
    const second = await publishSnapshot(redis, prefix, changed, { version: 2, chunkCount: 8 })
    const kept = second.chunks.filter(({ hash }) => first.chunks.some(chunk => chunk.hash === hash))
    expect(kept).toHaveLength(7)
    // Whoever needs more than the changed one now cannot go on.
    await redis.del(...kept.map(({ hash }) => chunkKey(prefix, hash)))

    await inUse(cache, 2)
    expect(cache.current).toBe(rules)
    expect(versionsOf(cache)).toEqual([...Array(63).fill(1), 2])
    expect(told).toEqual([1, 2])
  })

  test('a large difference is built beside: what is in use does not change until it is replaced', async ({
    redis,
    prefix,
    startCache,
  }) => {
    const { cache } = startCache({ inPlaceTextMax: 1_000 })
    await publishSnapshot(redis, prefix, rulesOf(1, 64), { version: 1, chunkCount: 8 })
    await inUse(cache, 1)
    const before = cache.current!
    await publishSnapshot(redis, prefix, [...rulesOf(2, 11), ...rulesOf(1, 64).slice(11)], {
      version: 2,
      chunkCount: 8,
    })
    await inUse(cache, 2)
    expect(cache.current).not.toBe(before)
    expect(before.version).toBe(1)
    expect(before.size).toBe(64)
    expect(versionsOf(cache).filter(version => version === 2)).toHaveLength(11)
  })

  test('a bug in the middle of that ends the process, and until then nobody matches with half-changed rules', async ({
    redis,
    prefix,
  }) => {
    const cache = new SnapshotCache({ redis, prefix, log, onSwap: async () => {} })
    const ended = expect(cache.keepCurrent(new AbortController().signal)).rejects.toThrow('a bug')
    await publishSnapshot(redis, prefix, rulesOf(1, 10), { version: 1 })
    await inUse(cache, 1)
    vi.spyOn(cache.current!, 'take').mockImplementation(() => {
      throw new TypeError('a bug')
    })
    await publishSnapshot(redis, prefix, rulesOf(1, 11), { version: 2 })
    cache.wake()
    await ended
    expect(cache.current).toBeUndefined()
  })

  test('another number of chunks, up and down, while it runs', async ({ redis, prefix, startCache }) => {
    const { cache } = startCache()
    for (const [index, chunkCount] of [4, 16, 16, 1, 2].entries()) {
      const version = index + 1
      await publishSnapshot(redis, prefix, rulesOf(version, 40), { version, chunkCount })
      await inUse(cache, version)
      expect(cache.current).toMatchObject({ chunkCount, size: 40 })
      expect(new Set(versionsOf(cache))).toEqual(new Set([version]))
    }
  })

  test('told to nobody, it is seen soon all the same', async ({ redis, prefix, startCache }) => {
    const { cache } = startCache()
    await publishSnapshot(redis, prefix, rulesOf(1, 3), { version: 1 })
    await eventually(() => expect(cache.current?.version).toBe(1))
    await publishSnapshot(redis, prefix, rulesOf(2, 3), { version: 2 })
    await eventually(() => expect(cache.current?.version).toBe(2))
  })

  test('told, it does not wait for its next look', async ({ redis, connect, prefix, startCache }) => {
    const { cache, told } = startCache()
    subscribeToSnapshots(connect(), prefix, log, () => cache.wake())
    await publishSnapshot(redis, prefix, rulesOf(1, 3), { version: 1 })
    await eventually(() => expect(cache.current?.version).toBe(1))
    // At one look a second this would take 40 s, and the test half of that.
    for (let version = 2; version <= 40; version++) {
      await publishSnapshot(redis, prefix, rulesOf(version, 3), { version })
      await eventually(() => expect(cache.current?.version).toBe(version), { everyMs: 2 })
    }
    expect(told).toEqual(Array.from({ length: 40 }, (_, index) => index + 1))
  })

  test('how long a change took is measured, but not at a start', async ({ redis, prefix, startCache }) => {
    const { cache } = startCache()
    const before = await propagation()
    const oldestChangeAt = new Date(Date.now() - 2_000).toISOString()
    await publishSnapshot(redis, prefix, rulesOf(1, 3), { version: 1, oldestChangeAt })
    await inUse(cache, 1)
    expect(await propagation()).toEqual(before)

    await publishSnapshot(redis, prefix, rulesOf(2, 3), { version: 2, oldestChangeAt })
    await inUse(cache, 2)
    await publishSnapshot(redis, prefix, rulesOf(2, 3), { version: 3, oldestChangeAt: null })
    await inUse(cache, 3)
    const after = await propagation()
    expect(after.count).toBe(before.count + 1)
    expect(after.sum - before.sum).toBeGreaterThanOrEqual(2)
  })
})

test('of versions that were skipped, changes waited at least since ours was last found to be the newest', async ({
  redis,
  connect,
  prefix,
  startCache,
}) => {
  const clock = vi.spyOn(performance, 'now').mockReturnValue(1_000)
  await using gate = await startGate(targetOf(testServers().redisUrl))
  await gate.open()
  const own = connect(`redis://${gate.host}:${gate.port}`)
  const { cache } = startCache({ redis: own })
  await publishSnapshot(redis, prefix, rulesOf(1, 3), { version: 1 })
  await inUse(cache, 1)
  clock.mockReturnValue(40_000)
  const looks = vi.spyOn(own, 'hget')
  await eventually(() => expect(looks.mock.calls.length).toBeGreaterThan(1))

  await gate.close()
  clock.mockReturnValue(100_000)
  await publishSnapshot(redis, prefix, rulesOf(2, 3), { version: 2, oldestChangeAt: new Date().toISOString() })
  await publishSnapshot(redis, prefix, rulesOf(3, 3), { version: 3, oldestChangeAt: new Date().toISOString() })
  const before = await propagation()
  await gate.open()
  await inUse(cache, 3)
  const after = await propagation()
  expect(after.count).toBe(before.count + 1)
  expect(after.sum - before.sum).toBeCloseTo(60)
})

describe('rules that cannot be used', () => {
  test('are left out one by one, told and counted', async ({ redis, prefix, startCache }) => {
    const errors: string[] = []
    const { cache } = startCache({ log: keepErrors(errors) })
    const strange: Line[] = [
      ['rul_cut', '{"rule_id":'],
      ['rul_shape', JSON.stringify({ rule_id: 'rul_shape' })],
      ['rul_new', rulesOf(1, 1)[0]![1].replace('rul_0', 'rul_new').replace('equal', 'of tomorrow')],
    ]
    await publishSnapshot(redis, prefix, rulesOf(1, 20), { version: 1, chunkCount: 2 })
    await inUse(cache, 1)
    await publishSnapshot(redis, prefix, [...rulesOf(1, 20), ...strange], { version: 2, chunkCount: 2 })
    await inUse(cache, 2)
    expect(cache.status()).toMatchObject({ rules: 20, refused_rules: 3 })
    expect(await metric('tocsin_evaluator_refused_rules')).toBe(3)
    expect(errors).toHaveLength(1)
    for (const [id] of strange) expect(errors[0]).toContain(id)

    // Those that stay as they are are not told again.
    await publishSnapshot(redis, prefix, [...rulesOf(1, 21), ...strange], {
      version: 3,
      chunkCount: 2,
    })
    await inUse(cache, 3)
    expect(errors).toHaveLength(1)
    await publishSnapshot(redis, prefix, rulesOf(1, 20), { version: 4, chunkCount: 2 })
    await inUse(cache, 4)
    expect(await metric('tocsin_evaluator_refused_rules')).toBe(0)
  })

  test('when that is each of them, the snapshot is a bad one: a newer rule-updater writes another shape', async ({
    redis,
    prefix,
    startCache,
  }) => {
    const { cache } = startCache()
    await publishSnapshot(redis, prefix, rulesOf(1, 20), { version: 1, chunkCount: 2 })
    await inUse(cache, 1)
    const newShape = rulesOf(1, 20).map(([id]): Line => [id, JSON.stringify({ id, schema: 2 })])
    await publishSnapshot(redis, prefix, newShape, { version: 2, chunkCount: 2 })
    await eventually(() => {
      cache.wake()
      expect(cache.status().snapshot_failure).toBe('none of the 20 rules of snapshot 2 can be used')
    })
    expect(new Set(versionsOf(cache))).toEqual(new Set([1]))
    await publishSnapshot(redis, prefix, [...newShape.slice(1), ...rulesOf(3, 1)], { version: 3, chunkCount: 2 })
    await inUse(cache, 3)
    expect(cache.status()).toMatchObject({ rules: 1, refused_rules: 19 })
  })
})

async function propagation(): Promise<{ count: number; sum: number }> {
  const { values } = (await metrics.getSingleMetric('tocsin_rule_propagation_seconds')!.get()) as unknown as {
    values: { metricName: string; value: number }[]
  }
  const of = (end: string) => values.find(value => value.metricName.endsWith(end))?.value ?? 0
  return { count: of('_count'), sum: of('_sum') }
}
