import { firstIdAt, newId } from '@tocsin/contracts/ids'
import type { Database } from '@tocsin/postgres/database'
import { createLogger } from '@tocsin/runtime/logger'
import { eventually } from '@tocsin/testkit/eventually'
import { afterEach, expect, vi } from 'vitest'
import { dropPartitions, makePartitions } from '../src/partitions.ts'
import { runUpkeep } from '../src/storage-upkeep.ts'
import { test } from './aggregator-test.ts'
import { alertOf, matchOf, upsert } from './matches.ts'

const dayMs = 86_400_000
const midnight = Math.floor(Date.now() / dayMs) * dayMs

afterEach(() => {
  vi.useRealTimers()
})

async function partitionNames(db: Database): Promise<string[]> {
  const { rows } = await db.query<{ name: string }>(
    `SELECT inhrelid::regclass::text AS name FROM pg_inherits WHERE inhparent = 'notifications'::regclass ORDER BY 1`,
  )
  return rows.map(({ name }) => name)
}

const nameOf = (day: number) => `notifications_${new Date(day).toISOString().slice(0, 10).replaceAll('-', '_')}`

async function rowsOf(db: Database, ...alertIds: string[]): Promise<{ alert_id: string; partition: string }[]> {
  const { rows } = await db.query<{ alert_id: string; partition: string }>(
    'SELECT alert_id, tableoid::regclass::text AS partition FROM notifications WHERE alert_id = ANY($1) ORDER BY 1',
    [alertIds],
  )
  return rows
}

/** What an aggregator does whose clock shows this time. */
async function upsertAt(time: number, db: Database, match: ReturnType<typeof matchOf>) {
  vi.useFakeTimers({ toFake: ['Date'], now: time })
  try {
    return await upsert(db, [match])
  } finally {
    vi.useRealTimers()
  }
}

test('there is a partition for today and the next three days, whoever makes them and however often', async ({
  database,
}) => {
  const made = await Promise.all([1, 2, 3, 4].map(() => makePartitions(database, midnight + 10 * dayMs)))
  expect(made.flat().toSorted()).toEqual([10, 11, 12, 13].map(day => nameOf(midnight + day * dayMs)))
  expect(await makePartitions(database, midnight + 10 * dayMs)).toEqual([])
  expect(await makePartitions(database, midnight + 11 * dayMs)).toEqual([nameOf(midnight + 14 * dayMs)])
})

test('a team and an alert are one notification across midnight, and across days', async ({ database }) => {
  const match = matchOf(alertOf(), ['r1'])
  const late = midnight + 5 * dayMs - 1
  const first = await upsertAt(late, database, match)
  expect(first.created).toBe(1)
  for (const time of [late + 1, late + dayMs, late + 3 * dayMs]) {
    const again = await upsertAt(time, database, matchOf(match.alert, ['r1', `r${time}`]))
    expect(again).toMatchObject({ created: 0, merged: 1, pending: first.pending })
  }
  expect(await rowsOf(database, match.alert.alert_id)).toHaveLength(1)
})

test('aggregators that insert the same alerts at the same moment on both sides of midnight make one row of each', async ({
  database,
}) => {
  const alerts = Array.from({ length: 200 }, () => alertOf())
  const matches = alerts.map(alert => matchOf(alert, ['r1']))
  await makePartitions(database, midnight + 2 * dayMs)
  vi.useFakeTimers({ toFake: ['Date'], now: midnight + 3 * dayMs - 1 })
  const before = upsert(database, matches)
  vi.setSystemTime(midnight + 3 * dayMs)
  const after = upsert(database, matches)
  const created = (await Promise.all([before, after])).map(result => result.created)
  expect(created[0]! + created[1]!).toBe(200)
  expect(await rowsOf(database, ...alerts.map(alert => alert.alert_id))).toHaveLength(200)
})

test('a day without a partition gets one when its first row comes', async ({ database }) => {
  const match = matchOf(alertOf(), ['r1'])
  const time = midnight + 40 * dayMs
  expect((await upsertAt(time, database, match)).created).toBe(1)
  expect(await rowsOf(database, match.alert.alert_id)).toMatchObject([{ partition: nameOf(time) }])
})

test('what is old is dropped with its deliveries, attempts and keys; what is younger is not', async ({ database }) => {
  const [old, young] = [matchOf(alertOf(), ['r1']), matchOf(alertOf(), ['r1'])]
  const [oldDay, youngDay] = [midnight + 5 * dayMs, midnight + 6 * dayMs]
  for (const [day, match] of [[oldDay, old] as const, [youngDay, young] as const]) {
    const { pending } = await upsertAt(day, database, match)
    const deliveryId = newId('delivery', day)
    await database.query(
      `INSERT INTO deliveries (delivery_id, notification_id, endpoint_id, team_id, kind, due_at)
       VALUES ($1, $2, 'end_1', 'payments', 'webhook', now())`,
      [deliveryId, pending[0]],
    )
    await database.query(
      'INSERT INTO delivery_attempts (delivery_id, attempt, started_at, duration_ms) VALUES ($1, 1, now(), 1)',
      [deliveryId],
    )
    await database.query('UPDATE notification_keys SET made_on = $2 WHERE alert_id = $1', [
      match.alert.alert_id,
      new Date(day).toISOString().slice(0, 10),
    ])
  }
  const dropped = await dropPartitions(database, youngDay)
  expect(dropped).toContain(nameOf(oldDay))
  expect(dropped).not.toContain(nameOf(youngDay))
  expect(await partitionNames(database)).toContain(nameOf(youngDay))
  expect(await rowsOf(database, old.alert.alert_id, young.alert.alert_id)).toHaveLength(1)
  for (const table of ['deliveries', 'delivery_attempts', 'notification_keys']) {
    expect((await database.query(`SELECT FROM ${table}`)).rowCount, table).toBe(1)
  }
  // Known no more: it is a new one.
  expect((await upsertAt(youngDay, database, old)).created).toBe(1)
})

test('an alert whose row was dropped a moment ago and whose key is still there is a repeat', async ({ database }) => {
  const match = matchOf(alertOf(), ['r1'])
  await upsertAt(midnight + 5 * dayMs, database, match)
  await database.query(`DROP TABLE ${nameOf(midnight + 5 * dayMs)}`)
  const again = await upsertAt(midnight + 6 * dayMs, database, match)
  expect(again).toMatchObject({ created: 0, merged: 0, pending: [undefined] })
})

test('upkeep that has to wait for a lock too long holds up nobody, and is done later', async ({ database }) => {
  const stop = new AbortController()
  const log = createLogger('test', 'silent')
  const old = firstIdAt('notification', midnight - 100 * dayMs)
  await database.query(
    `CREATE TABLE notifications_old (LIKE notifications INCLUDING ALL) WITH (fillfactor = 50);
     DO $$ DECLARE
       name text; bound text;
     BEGIN
       SELECT inhrelid::regclass::text, substring(pg_get_expr(relpartbound, inhrelid) FROM 'TO \\(''(.*?)''\\)') INTO name, bound
         FROM pg_inherits JOIN pg_class ON oid = inhrelid WHERE inhparent = 'notifications'::regclass;
       EXECUTE format('ALTER TABLE notifications DETACH PARTITION %I', name);
       EXECUTE format('ALTER TABLE notifications ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', name, '${old}', bound);
     END $$;
     ALTER TABLE notifications ATTACH PARTITION notifications_old FOR VALUES FROM (MINVALUE) TO ('${old}')`,
  )
  await database.transaction(async reader => {
    await reader.query('SELECT count(*) FROM notifications')
    await expect(dropPartitions(database, midnight - 30 * dayMs)).rejects.toThrow('Postgres cannot be reached')
    expect((await upsert(database, [matchOf(alertOf(), ['r1'])])).created).toBe(1)
  })
  const running = runUpkeep(database, stop.signal, { keptDays: 30, log })
  await eventually(async () => expect(await partitionNames(database)).not.toContain('notifications_old'))
  stop.abort()
  await running
})
