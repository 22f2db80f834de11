import type { Redis } from '@tocsin/redis/connection'
import { chunkOf } from '@tocsin/redis/snapshot-chunk'
import { eventually } from '@tocsin/testkit/eventually'
import { startGate, targetOf } from '@tocsin/testkit/gate'
import { testServers } from '@tocsin/testkit/servers'
import { afterEach, describe, expect, vi } from 'vitest'
import { LiveRules } from '../src/live-rules.ts'
import { chunkKey, flush, publishSnapshot } from './publish-snapshot.ts'
import type { Line } from './rules-in-chunks.ts'
import { inUse, keepErrors, metric, type RunningCache, rulesOf, test, versionsOf } from './snapshot-fixture.ts'

afterEach(() => vi.restoreAllMocks())

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

describe('a build that cannot end goes on where it was', () => {
  test('when a chunk has gone, with the next manifest', async ({ redis, prefix, startCache }) => {
    const first = await publishSnapshot(redis, prefix, rulesOf(1, 400), { version: 1, chunkCount: 64 })
    const last = first.chunks.at(-1)!.hash
    await redis.del(chunkKey(prefix, last))
    const { cache } = startCache()
    await eventually(() => expect(() => cache.check()).toThrow(`chunk ${last} is not there`))

    // What was read in the first try need not be there any more.
    const isInLast = (line: Line) => chunkOf(line[0], 64) === 63
    const changed = rulesOf(2, 400).filter(isInLast)
    const rules = [...rulesOf(1, 400).filter(line => !isInLast(line)), ...changed]
    const second = await publishSnapshot(redis, prefix, rules, { version: 2, chunkCount: 64 })
    const early = second.chunks.slice(0, 32).map(({ hash }) => chunkKey(prefix, hash))
    await redis.del(...early)
    await inUse(cache, 2)
    expect(cache.current?.size).toBe(400)
    expect(versionsOf(cache).filter(version => version === 2)).toHaveLength(changed.length)
  })
})

describe('a stop ends it in its middle', () => {
  /** When the first of the chunks that change is prepared. */
  const stopsThen = ({ stop }: RunningCache): Promise<void> => {
    const { prepare } = LiveRules.prototype
    const stopped = Promise.withResolvers<void>()
    vi.spyOn(LiveRules.prototype, 'prepare').mockImplementation(function (this: LiveRules, change) {
      stopped.resolve(stop())
      return prepare.call(this, change)
    })
    return stopped.promise
  }

  test('at the first snapshot there are no rules then, rather than some of them', async ({
    redis,
    prefix,
    startCache,
  }) => {
    const running = startCache()
    const stopped = stopsThen(running)
    await publishSnapshot(redis, prefix, rulesOf(1, 400), { version: 1, chunkCount: 64 })
    running.cache.wake()
    await stopped
    expect(running.cache.current).toBeUndefined()
  })

  test.for([
    ['in place', 1_000_000],
    ['beside', 0],
  ] as const)('at a change %s those of before stay', async ([, inPlaceTextMax], { redis, prefix, startCache }) => {
    const running = startCache({ inPlaceTextMax })
    await publishSnapshot(redis, prefix, rulesOf(1, 400), { version: 1, chunkCount: 64 })
    await inUse(running.cache, 1)
    const before = running.cache.current
    const stopped = stopsThen(running)
    const changed = [...rulesOf(2, 200), ...rulesOf(1, 400).slice(200)]
    await publishSnapshot(redis, prefix, changed, { version: 2, chunkCount: 64 })
    running.cache.wake()
    await stopped
    expect(running.cache.current).toBe(before)
    expect(versionsOf(running.cache)).toEqual(Array(400).fill(1))
  })
})
