import type { Queryable } from '@tocsin/postgres/database'
import { expect } from 'vitest'
import {
  acquireLease,
  drawVersion,
  finishRebuild,
  LeaseLost,
  leaseTtlMs,
  releaseLease,
  renewLease,
} from '../src/lease.ts'
import { test } from './private-places.ts'

const none = { version: 0, token: 0 }
const expireLease = (database: Queryable) =>
  database.query(`UPDATE snapshot_lease SET lease_until = clock_timestamp() - interval '1 second'`)

test('of many that ask at once one gets it, and the others not before it has run out', async ({ database }) => {
  const asked = await Promise.all(Array.from({ length: 8 }, (_, index) => acquireLease(database, `leader-${index}`)))
  const leases = asked.filter(lease => lease !== undefined)
  expect(leases).toMatchObject([{ token: 1 }])
  expect(await acquireLease(database, 'late')).toBeUndefined()
  await expireLease(database)
  expect(await acquireLease(database, 'late')).toEqual({ leader_id: 'late', token: 2 })
})

test('who lost it renews nothing, draws nothing, releases nothing', async ({ database }) => {
  const lost = (await acquireLease(database, 'lost'))!
  await expireLease(database)
  const held = (await acquireLease(database, 'held'))!
  await expect(renewLease(database, lost)).rejects.toThrow(LeaseLost)
  await expect(drawVersion(database, lost, none)).rejects.toThrow(LeaseLost)
  await releaseLease(database, lost)
  await finishRebuild(database, lost, 7)
  expect(await renewLease(database, held)).toEqual({ version: 0, rebuild_wanted: null })
  const { rows } = await database.query('SELECT rebuilds_done FROM snapshot_lease')
  expect(rows).toEqual([{ rebuilds_done: 0 }])
})

test('a lease that has run out and that nobody took is still held', async ({ database }) => {
  const lease = (await acquireLease(database, 'slow'))!
  await expireLease(database)
  expect(await drawVersion(database, lease, none)).toMatchObject({ version: 1 })
  expect(await acquireLease(database, 'other')).toBeUndefined()
  await expireLease(database)
  await renewLease(database, lease)
  expect(await acquireLease(database, 'other')).toBeUndefined()
})

test('the clock of Postgres may be set back: a lease that ends later than any can is free, one that may end is not', async ({
  database,
}) => {
  const endsIn = (ms: number) =>
    database.query(`UPDATE snapshot_lease SET lease_until = clock_timestamp() + $1 * interval '1 millisecond'`, [ms])
  await acquireLease(database, 'before')
  await endsIn(60_000)
  expect(await acquireLease(database, 'after')).toMatchObject({ leader_id: 'after', token: 2 })
  await endsIn(leaseTtlMs)
  expect(await acquireLease(database, 'other')).toBeUndefined()
  await database.query(`UPDATE snapshot_lease SET lease_until = 'infinity'`)
  expect(await acquireLease(database, 'other')).toMatchObject({ token: 3 })
})

test('released, it is free at once', async ({ database }) => {
  const lease = (await acquireLease(database, 'first'))!
  await releaseLease(database, lease)
  expect(await acquireLease(database, 'second')).toMatchObject({ token: 2 })
})

test('versions rise above all that were seen, and so does the token once a higher one was seen', async ({
  database,
}) => {
  const lease = (await acquireLease(database, 'leader'))!
  expect(await drawVersion(database, lease, none)).toMatchObject({ version: 1 })
  expect(await drawVersion(database, lease, { version: 900, token: 1 })).toMatchObject({ version: 901 })
  expect(lease.token).toBe(1)
  expect(await drawVersion(database, lease, { version: 5, token: 40 })).toMatchObject({ version: 902 })
  expect(lease.token).toBe(41)
  expect(await drawVersion(database, lease, { version: 5, token: 40 })).toMatchObject({ version: 903 })
  expect(lease.token).toBe(41)
})

test('a token that Postgres forgot in a restore is not given to the next leader again', async ({ database }) => {
  const lease = (await acquireLease(database, 'leader'))!
  await database.query('UPDATE snapshot_lease SET token = 0, version = 0')
  await drawVersion(database, lease, none)
  await expireLease(database)
  expect(await acquireLease(database, 'next')).toMatchObject({ token: 2 })
})

test('a rebuild is wanted until it is done', async ({ database }) => {
  const lease = (await acquireLease(database, 'leader'))!
  await database.query('UPDATE snapshot_lease SET rebuilds_wanted = 2')
  expect(await renewLease(database, lease)).toMatchObject({ rebuild_wanted: 2 })
  await database.query('UPDATE snapshot_lease SET rebuilds_wanted = 3')
  await finishRebuild(database, lease, 2)
  expect(await renewLease(database, lease)).toMatchObject({ rebuild_wanted: 3 })
  await finishRebuild(database, lease, 3)
  expect(await renewLease(database, lease)).toMatchObject({ rebuild_wanted: null })
})

test('a row that somebody deleted is made again by asking, and of many that ask one leads', async ({ database }) => {
  const lost = (await acquireLease(database, 'lost'))!
  await database.query('DELETE FROM snapshot_lease')
  await expect(renewLease(database, lost)).rejects.toThrow(LeaseLost)
  const askAll = () => Promise.all(Array.from({ length: 8 }, (_, index) => acquireLease(database, `leader-${index}`)))
  const asked = [...(await askAll()), ...(await askAll())]
  expect(asked.filter(lease => lease !== undefined)).toMatchObject([{ token: 1 }])
  const { rows } = await database.query('SELECT version FROM snapshot_lease')
  expect(rows).toEqual([{ version: 0 }])
})
