import type { Queryable } from '@tocsin/postgres/database'

/** Told after each transaction that adds rows, to every relay that listens, also those of other copies. */
export const outboxChannel = 'outbox'

export interface OutboxRow {
  outbox_id: number
  topic: string
  key: string
  message: unknown
}

/**
 * The oldest rows that no other relay has in hand. Whoever holds the oldest unpublished row of a key holds the key: the
 * rows behind it are nobody's oldest until it is marked and committed, so they can't overtake it. All rows of a key that
 * anybody can see are there from the first on without a gap, because a rule is locked while its rows are written.
 *
 * Looks at a part of a long backlog, and takes rows by their ids alone: with a join it was for the planner to decide
 * whether 100,000 changes of one rule take 5 ms or, by a hash of the one key, minutes.
 */
export async function holdUnpublished(client: Queryable, limit: number): Promise<OutboxRow[]> {
  const { rows } = await client.query<OutboxRow>(
    `WITH oldest AS MATERIALIZED (
       SELECT outbox_id, key FROM outbox WHERE published_at IS NULL ORDER BY outbox_id LIMIT 10 * $1::integer
     ), held AS MATERIALIZED (
       SELECT key FROM outbox
       WHERE outbox_id = ANY (ARRAY(SELECT min(outbox_id) FROM oldest GROUP BY key)) AND published_at IS NULL
       ORDER BY outbox_id LIMIT $1::integer
       FOR UPDATE SKIP LOCKED
     )
     SELECT outbox_id, topic, key, message FROM outbox
     WHERE outbox_id = ANY (ARRAY(SELECT outbox_id FROM oldest WHERE key IN (SELECT key FROM held)))
     ORDER BY outbox_id LIMIT $1`,
    [limit],
  )
  return rows
}

export async function markPublished(client: Queryable, rows: readonly OutboxRow[]): Promise<void> {
  await client.query('UPDATE outbox SET published_at = now() WHERE outbox_id = ANY($1)', [
    rows.map(row => row.outbox_id),
  ])
}

/**
 * What was published is kept for a day, for people who wonder what was said and when. Deletes the oldest `limit` rows at
 * most, so that a day of many changes is no transaction of minutes; several relays delete different ones.
 */
export async function prunePublished(client: Queryable, limit: number): Promise<number> {
  const { rowCount } = await client.query(
    `DELETE FROM outbox WHERE outbox_id IN (
       SELECT outbox_id FROM outbox WHERE published_at < now() - interval '1 day'
       ORDER BY published_at LIMIT $1 FOR UPDATE SKIP LOCKED)`,
    [limit],
  )
  return rowCount ?? 0
}

export interface Backlog {
  rows: number
  oldest_seconds: number
}

export async function readBacklog(client: Queryable): Promise<Backlog> {
  const { rows } = await client.query<Backlog>(
    `SELECT count(*) AS rows, coalesce(extract(epoch FROM now() - min(created_at)), 0)::float8 AS oldest_seconds
     FROM outbox WHERE published_at IS NULL`,
  )
  return rows[0]!
}
