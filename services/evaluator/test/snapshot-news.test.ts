import { subscribeToSnapshots } from '@tocsin/redis/snapshot-news'
import { eventually } from '@tocsin/testkit/eventually'
import { afterEach, expect, vi } from 'vitest'
import type { SnapshotCache } from '../src/snapshot-cache.ts'
import { newsOf, publishSnapshot } from './publish-snapshot.ts'
import type { Line } from './rules-in-chunks.ts'
import { inUse, keepErrors, log, metric, rulesOf, test, versionsOf } from './snapshot-fixture.ts'

afterEach(() => vi.restoreAllMocks())

const chunkCount = 8
/** The 64 rules of the first version, with these as they are in a later one. */
const withThese = (version: number, places: readonly number[]): Line[] =>
  rulesOf(1, 64).map((line, at) => (places.includes(at) ? rulesOf(version, 64)[at]! : line))
const told = (version: number, places: readonly number[]) =>
  newsOf(places.map(at => ({ rule_id: `rul_${at}`, json: rulesOf(version, 64)[at]![1] })))

const untilUsed = (cache: SnapshotCache, version: number) =>
  eventually(() => expect(cache.current?.version).toBe(version), { everyMs: 2 })

test('whoever is told what changed reads no chunk, is right, and compares later', async ({
  redis,
  connect,
  prefix,
  startCache,
}) => {
  const { cache } = startCache()
  subscribeToSnapshots(connect(), prefix, log, news => cache.wake(news))
  await publishSnapshot(redis, prefix, rulesOf(1, 64), { version: 1, chunkCount })
  await untilUsed(cache, 1)
  const reads = vi.spyOn(redis, 'mgetBuffer')
  const corrected = await metric('tocsin_evaluator_corrected_rules_total')
  for (let version = 2; version <= 6; version++) {
    const places = [0, 9, 17].slice(0, 1 + (version % 3))
    const lines = withThese(version, places)
    await publishSnapshot(redis, prefix, lines, { version, chunkCount, news: changesFrom(lines) })
    await untilUsed(cache, version)
    expect(versionsOf(cache)).toEqual([...Array(64 - places.length).fill(1), ...Array(places.length).fill(version)])
  }
  expect(reads.mock.calls.length).toBeLessThan(3) // those of comparisons, once a second
  await eventually(() => expect(cache.current!.told(1).size).toBe(0))
  expect(await metric('tocsin_evaluator_corrected_rules_total')).toBe(corrected)

  /** Rules go back to their first version as well. */
  function changesFrom(lines: readonly Line[]) {
    return newsOf(lines.slice(0, 18).map(([rule_id, json]) => ({ rule_id, json })))
  }
})

test('after a word that was missed it reads', async ({ redis, connect, prefix, startCache }) => {
  const { cache } = startCache()
  await publishSnapshot(redis, prefix, rulesOf(1, 64), { version: 1, chunkCount })
  await inUse(cache, 1)
  await publishSnapshot(redis, prefix, withThese(2, [3]), { version: 2, chunkCount })
  subscribeToSnapshots(connect(), prefix, log, news => cache.wake(news))
  await publishSnapshot(redis, prefix, withThese(2, [3, 5]), { version: 3, chunkCount, news: told(2, [5]) })
  await untilUsed(cache, 3)
  expect(versionsOf(cache).filter(version => version === 2)).toHaveLength(2)
})

test('news that do not make the snapshot they name are not believed', async ({
  redis,
  connect,
  prefix,
  startCache,
}) => {
  const { cache } = startCache()
  subscribeToSnapshots(connect(), prefix, log, news => cache.wake(news))
  await publishSnapshot(redis, prefix, rulesOf(1, 64), { version: 1, chunkCount })
  await untilUsed(cache, 1)
  const news = (...args: Parameters<ReturnType<typeof told>>) => ({ ...told(2, [3])(...args), chunks: [] })
  await publishSnapshot(redis, prefix, withThese(2, [3]), { version: 2, chunkCount, news })
  await untilUsed(cache, 2)
  expect(versionsOf(cache).at(-1)).toBe(2)
})

test('should a leader tell something else than it wrote, it is found out, put right and told', async ({
  redis,
  connect,
  prefix,
  startCache,
}) => {
  const errors: string[] = []
  const { cache } = startCache({ log: keepErrors(errors) })
  subscribeToSnapshots(connect(), prefix, log, news => cache.wake(news))
  await publishSnapshot(redis, prefix, rulesOf(1, 64), { version: 1, chunkCount })
  await untilUsed(cache, 1)
  const before = await metric('tocsin_evaluator_corrected_rules_total')
  await publishSnapshot(redis, prefix, withThese(2, [3]), { version: 2, chunkCount, news: told(7, [3]) })
  await untilUsed(cache, 2)
  await eventually(() => expect(versionsOf(cache).at(-1)).toBe(2))
  expect(await metric('tocsin_evaluator_corrected_rules_total')).toBe(before + 1)
  expect(errors.join()).toContain('not what their snapshot says')
})
