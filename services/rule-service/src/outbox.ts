import { type RuleAction, type RuleChanged, schemaVersion } from '@tocsin/contracts/messages'
import { topics } from '@tocsin/contracts/topics'
import type { Queryable } from '@tocsin/postgres/database'

export interface ChangedRule {
  rule_id: string
  version: number
}

/**
 * Called in the transaction that changes the rules, so that a change without its message cannot be. Of one rule the
 * rows come in the order of its versions, because its row is locked while they are written.
 */
export async function recordRuleChanges(
  client: Queryable,
  teamId: string,
  action: RuleAction,
  rules: readonly ChangedRule[],
): Promise<void> {
  const changed_at = new Date().toISOString()
  const messages = rules.map(
    ({ rule_id, version }): RuleChanged => ({
      schema_version: schemaVersion,
      team_id: teamId,
      rule_id,
      version,
      action,
      changed_at,
    }),
  )
  await client.query(
    `INSERT INTO outbox (topic, key, message)
     SELECT $1, message ->> 'rule_id', message FROM jsonb_array_elements($2) AS message`,
    [topics.ruleChanged, JSON.stringify(messages)],
  )
}

export interface OutboxRow {
  outbox_id: number
  topic: string
  key: string
  message: unknown
}

const relayLock = 7_063_2003

/** False while another relay holds it. Kept until the transaction ends, also when its process dies. */
export async function becomeRelay(client: Queryable): Promise<boolean> {
  const { rows } = await client.query<{ mine: boolean }>('SELECT pg_try_advisory_xact_lock($1) AS mine', [relayLock])
  return rows[0]!.mine
}

export async function readUnpublished(client: Queryable, limit: number): Promise<OutboxRow[]> {
  const { rows } = await client.query<OutboxRow>(
    `SELECT outbox_id, topic, key, message FROM outbox
     WHERE published_at IS NULL ORDER BY outbox_id LIMIT $1`,
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
 * most, so that a day of many changes is no transaction of minutes.
 */
export async function prunePublished(client: Queryable, limit: number): Promise<number> {
  const { rowCount } = await client.query(
    `DELETE FROM outbox WHERE outbox_id IN (
       SELECT outbox_id FROM outbox WHERE published_at < now() - interval '1 day' ORDER BY published_at LIMIT $1)`,
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
