import { setTimeout as sleep } from 'node:timers/promises'
import type { Database } from '@tocsin/postgres/database'
import { readManifest } from '@tocsin/redis/snapshot-store'
import { eventually } from '@tocsin/testkit/eventually'
import { expect, onTestFinished } from 'vitest'
import { Leadership, type LeadershipOptions } from '../src/leadership.ts'
import * as meters from '../src/meters.ts'
import type { Places } from '../src/places.ts'
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

const upToDate = ({ database, redis, prefix }: Places) => settled(database, redis, prefix)

test('an event wakes it; without one it looks by itself', async ({ places }) => {
  const woken = lead(places)
  await upToDate(places)
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

test('many wakes while it publishes are one more version', async ({ places }) => {
  const { wake } = lead(places)
  await upToDate(places)
  await insertRules(places.database, numbered(3))
  for (let wakes = 0; wakes < 1_000; wakes++) wake()
  await upToDate(places)
  expect((await readManifest(places.redis, places.prefix))?.version).toBeLessThanOrEqual(3)
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

const leasesLost = async () => (await meters.leasesLostTotal.get()).values[0]?.value ?? 0
