import { firstIdAt } from '@tocsin/contracts/ids'
import type { Database, Queryable } from '@tocsin/postgres/database'

/** Any number that nothing else in this database locks. */
const partitionsLock = 7_063_2003

const dayMs = 86_400_000

/**
 * Room on each page for the state that comes later, which then writes no index (docs/decisions/013). Not half of it: most
 * notifications never change, and each page more costs as much as it saves.
 */
const fillfactor = 80

/** Today's, and so many more: an aggregator that could not make any for days still finds the next one there. */
const daysAhead = 3

/** Rows that are deleted in one statement: some ten milliseconds, which nobody has to wait for. */
const rowsAtOnce = 5_000

/** Of ids: the first is in it, the last is not. */
interface Partition {
  readonly name: string
  readonly from: string
  readonly to: string
}

/** Makes a partition for each day, by UTC, that has none: for what is made now, and ahead of time. Gives their names. */
export async function makePartitions(db: Database, now = Date.now()): Promise<string[]> {
  const days = Array.from({ length: daysAhead + 1 }, (_, day) => (Math.floor(now / dayMs) + day) * dayMs)
  const missing = (partitions: readonly Partition[]) =>
    days.filter(day => !partitions.some(({ from, to }) => from <= idAt(day) && idAt(day) < to))
  if (missing(await readPartitions(db)).length === 0) return []
  return db.transaction(async client => {
    await lockPartitions(client)
    const made: string[] = []
    // Read once more under the lock: another aggregator makes them at the same time.
    for (const day of missing(await readPartitions(client))) {
      const name = `notifications_${new Date(day).toISOString().slice(0, 10).replaceAll('-', '_')}`
      await client.query(
        `CREATE TABLE ${name} PARTITION OF notifications FOR VALUES FROM ('${idAt(day)}') TO ('${idAt(day + dayMs)}')
         WITH (fillfactor = ${fillfactor})`,
      )
      made.push(name)
    }
    return made
  })
}

/**
 * Drops the partitions that have nothing but notifications older than this, with the deliveries and the keys of those.
 * Gives their names. The keys go last: an alert that comes again meanwhile is still known.
 */
export async function dropPartitions(db: Database, before: number): Promise<string[]> {
  const old = (await readPartitions(db)).filter(({ to }) => to <= idAt(before))
  for (const { name, to } of old) {
    await deleteAll(db, 'deliveries', 'delivery_id', 'notification_id < $1', to)
    await db.transaction(async client => {
      await lockPartitions(client)
      await client.query(`DROP TABLE IF EXISTS ${name}`)
    })
  }
  await deleteAll(db, 'notification_keys', 'ctid', 'made_on < $1', new Date(before).toISOString().slice(0, 10))
  return old.map(({ name }) => name)
}

/** Whatever is inserted or read waits for who waits for this lock: not for long, the next round tries again. */
async function lockPartitions(client: Queryable): Promise<void> {
  await client.query(`SET LOCAL lock_timeout = '1s'`)
  await client.query('SELECT pg_advisory_xact_lock($1)', [partitionsLock])
}

async function readPartitions(db: Queryable): Promise<Partition[]> {
  const { rows } = await db.query<{ name: string; bound: string }>(
    `SELECT oid::regclass::text AS name, pg_get_expr(relpartbound, oid) AS bound
     FROM pg_inherits JOIN pg_class ON oid = inhrelid WHERE inhparent = 'notifications'::regclass ORDER BY bound`,
  )
  return rows.map(({ name, bound }) => {
    const [, from, to] = /FROM \((?:MINVALUE|'(.*?)')\) TO \('(.*?)'\)/.exec(bound) ?? []
    if (to === undefined) throw new Error(`partition ${name} is not one of ids: ${bound}`)
    return { name, from: from ?? '', to }
  })
}

async function deleteAll(db: Queryable, table: string, id: string, condition: string, value: string): Promise<void> {
  const statement = `DELETE FROM ${table} WHERE ${id} = ANY(ARRAY(
    SELECT ${id} FROM ${table} WHERE ${condition} LIMIT ${rowsAtOnce} FOR UPDATE SKIP LOCKED))`
  for (let deleted = rowsAtOnce; deleted === rowsAtOnce; ) deleted = (await db.query(statement, [value])).rowCount ?? 0
}

const idAt = (time: number) => firstIdAt('notification', time)
