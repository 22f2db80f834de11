import type { Queryable } from '@tocsin/postgres/database'

/** Postgres tells it at the commit of each transaction that adds rows, to every relay that listens. */
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
 */
export async function holdUnpublished(client: Queryable, limit: number): Promise<OutboxRow[]> {
  const { rows } = await client.query<OutboxRow>(
    `WITH held AS MATERIALIZED (
       SELECT key FROM outbox AS oldest
       WHERE published_at IS NULL AND NOT EXISTS (
         SELECT FROM outbox AS older
         WHERE older.key = oldest.key AND older.outbox_id < oldest.outbox_id AND older.published_at IS NULL)
       ORDER BY outbox_id LIMIT $1
       FOR UPDATE SKIP LOCKED)
     SELECT outbox_id, topic, key, message FROM outbox
     WHERE published_at IS NULL AND key IN (SELECT key FROM held) ORDER BY outbox_id LIMIT $1`,
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
