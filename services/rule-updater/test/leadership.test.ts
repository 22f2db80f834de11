import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Database } from '@tocsin/postgres/database'
import { readManifest } from '@tocsin/redis/snapshot-store'
import { AppError } from '@tocsin/runtime/errors'
import { eventually } from '@tocsin/testkit/eventually'
import { expect, onTestFinished } from 'vitest'
import { Leadership, type LeadershipOptions } from '../src/leadership.ts'
import * as meters from '../src/meters.ts'
import type { Places } from '../src/places.ts'
import { interposed, overheard } from './interposed.ts'
import { editRules, insertRules, numbered, upToDate as settled, test, waitingRows } from './private-places.ts'

/** Leads, or stands by, until the test ends. Looks by itself only once a minute, unless it is told otherwise. */
function lead(places: Places, own: Partial<LeadershipOptions> = {}) {
  const stop = new AbortController()
  let wake = () => {}
  const leadership = new Leadership({
    places,
    leaseDatabase: places.database,
    name: 'test',
    listen: (hear, stopping) => {
      wake = hear
      return new Promise(resolve => stopping.addEventListener('abort', () => resolve()))
    },
    ...own,
    timings: { pollEveryMs: 60_000, ...own.timings },
  })
  const ended = leadership.run(stop.signal)
  ended.catch(() => {}) // asked for by the test, or nobody
  const end = async () => {
    stop.abort()
    await ended
  }
  onTestFinished(() => end().catch(() => {}))
  return { leadership, ended, end, wake: () => wake() }
}

/** It is made when a term begins, and is followed by a look of its own. */
async function firstComparison({ database }: Places): Promise<void> {
  await eventually(async () => {
    const { rowCount } = await database.query('SELECT FROM snapshot_lease WHERE last_reconcile IS NOT NULL')
    expect(rowCount).toBe(1)
  })
  await sleep(500)
}

const upToDate = ({ database, redis, prefix }: Places) => settled(database, redis, prefix)

test('who takes a snapshot over compares it with Postgres at once', async ({ places }) => {
  await insertRules(places.database, numbered(20))
  const first = lead(places)
  await upToDate(places)
  await first.end()
  await places.database.query(`UPDATE rules SET version = 9 WHERE rule_id = 'rul_00004'`)
  lead(places)
  await upToDate(places)
})

test('an event wakes it; without one it looks by itself', async ({ places }) => {
  const woken = lead(places)
  await upToDate(places)
  await firstComparison(places)
  await insertRules(places.database, numbered(3))
  await sleep(600)
  expect(await waitingRows(places.database)).toBe(3)
  woken.wake()
  await upToDate(places)
  await woken.end()

  lead(places, { timings: { pollEveryMs: 20 } })
  await editRules(places.database, numbered(2))
  await upToDate(places)
})

test('many wakes while it publishes are one more turn', async ({ places }) => {
  const publishing = Promise.withResolvers<void>()
  const goOn = Promise.withResolvers<void>()
  let reads = 0
  const slow = interposed(places, 'swap', async run => {
    if (reads > 0) publishing.resolve()
    if (reads > 0) await goOn.promise
    return run()
  })
  const database = overheard(slow, (_rows, text) => {
    if (text.includes('oldest_at')) reads++
  })
  const { wake } = lead(database)
  await upToDate(places)
  await insertRules(places.database, numbered(3))
  wake()
  await publishing.promise
  for (let wakes = 0; wakes < 1_000; wakes++) wake()
  const before = reads
  goOn.resolve()
  await upToDate(places)
  await sleep(500)
  // Two, should the machine be so slow that something else is due as well.
  expect(reads - before).toBeLessThanOrEqual(2)
})

test('what waits is told, also while it cannot be published, and by nobody who stands by', async ({ places }) => {
  const { database } = places
  let isAway = true
  const { end } = lead(
    interposed(places, 'swap', run =>
      isAway ? Promise.reject(new AppError('away', 'away', { retryable: true })) : run(),
    ),
    { timings: { countEveryMs: 20, pollEveryMs: 20 } },
  )
  await insertRules(database, numbered(3))
  await database.query(`UPDATE rule_versions SET changed_at = '2026-01-01T00:00:00Z' WHERE rule_id = 'rul_00001'`)
  const told = async () => [await gaugeOf(meters.waitingGauge), await gaugeOf(meters.waitingSinceGauge)]
  await eventually(async () => expect(await told()).toEqual([3, Date.parse('2026-01-01T00:00:00Z') / 1_000]))
  isAway = false
  await eventually(async () => expect(await told()).toEqual([0, 0]))
  isAway = true
  await editRules(database, numbered(2))
  await eventually(async () => expect((await told())[0]).toBe(2))
  await end()
  expect(await told()).toEqual([0, 0])
})

test('drift is found without anybody asking', async ({ places }) => {
  await insertRules(places.database, numbered(3))
  lead(places, { timings: { reconcileEveryMs: 50 } })
  await upToDate(places)
  await places.database.query(`DELETE FROM rules WHERE rule_id = 'rul_00001'`)
  await upToDate(places)
})

test('a Postgres that was restored to an earlier day is noticed by the next renewal, and followed', async ({
  places,
}) => {
  const { database } = places
  await insertRules(database, numbered(3))
  const { wake } = lead(places)
  await upToDate(places)
  await database.query('CREATE TABLE yesterday AS SELECT * FROM rules')
  await editRules(database, numbered(3))
  wake()
  await upToDate(places)
  const before = (await readManifest(places.redis, places.prefix))!.version
  await database.query('TRUNCATE rules, rule_versions')
  await database.query('INSERT INTO rules SELECT * FROM yesterday')
  await database.query('UPDATE snapshot_lease SET version = 0')
  await upToDate(places)
  expect((await readManifest(places.redis, places.prefix))!.version).toBeGreaterThan(before)
})

test('who lost the lease stands by, and leads again when it is free', async ({ places }) => {
  const { leadership } = lead(places)
  await upToDate(places)
  const lost = await leasesLost()
  await places.database.query(
    `UPDATE snapshot_lease SET leader_id = 'other', token = token + 1, lease_until = clock_timestamp() + interval '2 s'`,
  )
  await eventually(() => expect(leadership.term).toBeUndefined())
  expect(await leasesLost()).toBe(lost + 1)
  leadership.check()
  await eventually(() => expect(leadership.term?.published).toMatchObject({ token: 3 }))
})

test('who lost the lease says so at once, and leads again, also while its consumer takes long to leave its group', async ({
  places,
}) => {
  const left = Promise.withResolvers<void>()
  let consumers = 0
  const { leadership } = lead(places, {
    listen: async (_wake, stopping) => {
      expect(++consumers).toBe(1)
      await once(stopping, 'abort')
      await left.promise
      consumers--
    },
  })
  onTestFinished(() => left.resolve())
  await upToDate(places)
  expect(await gaugeOf(meters.isLeader)).toBe(1)
  const { rows } = await places.database.query(
    `UPDATE snapshot_lease SET leader_id = 'other', token = token + 1, lease_until = clock_timestamp() + interval '2 s'
  RETURNING token`,
  )
  await eventually(async () => {
    expect(leadership.term).toBeUndefined()
    expect(await gaugeOf(meters.isLeader)).toBe(0)
  })
  await eventually(() => expect(leadership.term?.published?.token).toBe(rows[0]!.token + 1))
  expect(await gaugeOf(meters.isLeader)).toBe(1)
  left.resolve()
  await eventually(() => expect(consumers).toBe(1))
})

test('a rebuild that was asked for is done, also after a failover of Postgres lost the count of those before', async ({
  places,
}) => {
  await insertRules(places.database, numbered(3))
  lead(places)
  await upToDate(places)
  const rebuilt = (wanted: number) =>
    eventually(async () => {
      const { rows } = await places.database.query('SELECT rebuilds_done FROM snapshot_lease')
      expect(rows).toEqual([{ rebuilds_done: wanted }])
    })
  await places.database.query('UPDATE snapshot_lease SET rebuilds_wanted = 7')
  await rebuilt(7)
  await places.database.query('UPDATE snapshot_lease SET rebuilds_wanted = 3, rebuilds_done = 2')
  await rebuilt(3)
})

test('a stop releases the lease', async ({ places }) => {
  const { end } = lead(places)
  await upToDate(places)
  await end()
  const { rows } = await places.database.query('SELECT leader_id, lease_until FROM snapshot_lease')
  expect(rows).toEqual([{ leader_id: null, lease_until: Number.NEGATIVE_INFINITY }])
})

test('a bug ends it, and releases the lease', async ({ places }) => {
  const { ended, wake } = lead(places)
  await upToDate(places)
  await places.database.query('ALTER TABLE rules RENAME COLUMN conditions TO something_else')
  wake()
  await expect(ended).rejects.toThrow('conditions')
  const { rows } = await places.database.query('SELECT leader_id FROM snapshot_lease')
  expect(rows).toEqual([{ leader_id: null }])
})

test('it is not ready before it has asked for the lease, nor as a leader without a snapshot', async ({ places }) => {
  const listen = () => new Promise<void>(() => {})
  const idle = new Leadership({ places, leaseDatabase: places.database, name: 'test', listen })
  expect(() => idle.check()).toThrow('has not asked for the lease yet')
  const published = Promise.withResolvers<void>()
  const database = {
    query: (...args: Parameters<Database['query']>) => places.database.query(...args),
    transaction: async (...args: Parameters<Database['transaction']>) => {
      await published.promise
      return places.database.transaction(...args)
    },
  } as Database
  const { leadership } = lead({ ...places, database })
  await eventually(() => expect(leadership.term).toBeDefined())
  expect(() => leadership.check()).toThrow('no snapshot was published yet')
  published.resolve()
  await eventually(() => leadership.check())
})

const gaugeOf = async (meter: { get(): Promise<{ values: { value: number }[] }> }) =>
  (await meter.get()).values[0]?.value ?? 0
const leasesLost = () => gaugeOf(meters.leasesLostTotal)
