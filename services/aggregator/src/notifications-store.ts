import { randomUUID } from 'node:crypto'
import { newId } from '@tocsin/contracts/ids'
import type { Match } from '@tocsin/contracts/messages'
import type { Queryable } from '@tocsin/postgres/database'

/** A notification that is in the table and that nobody is known to have handed over. */
export interface Pending {
  notificationId: string
  teamId: string
  alertId: string
}

export interface Upserted {
  /** To be ended when what is pending was handed over. */
  handoverId: string
  pending: Pending[]
  created: number
  /** Rows that were there and got rules that they did not have. */
  merged: number
}

interface UpsertedRow {
  notification_id: string
  team_id: string
  alert_id: string
  status: string
  created: boolean
  merged: boolean
}

/**
 * The boundary of the pipeline, in one statement for a batch: a row per (team, alert), made once. A rule that matched
 * later is added to the row; a match that says nothing new leaves the row untouched, so a topic read again from its
 * start writes nothing. The second half finds rows that an earlier run made and did not hand over; its snapshot is
 * older than the first half's rows, so the two never give the same one.
 *
 * `matches` must hold each (team, alert) once.
 */
export async function upsertNotifications(db: Queryable, matches: readonly Match[]): Promise<Upserted> {
  // In the order of the unique index: aggregators that have the same rows (a partition that changed hands) then wait
  // for each other in a line and not in a circle.
  const sorted = matches.toSorted(byTeamAndAlert)
  const handoverId = randomUUID()
  const { rows } = await db.query<UpsertedRow>(
    `WITH match AS (
       SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::json[], $6::jsonb[])
         AS m (notification_id, team_id, alert_id, dedup_key, alert, rules)
     ), upserted AS (
       INSERT INTO notifications AS n (notification_id, team_id, alert_id, dedup_key, alert, rules)
       SELECT * FROM match
       ON CONFLICT (team_id, alert_id) DO UPDATE
       SET rules = n.rules || (
             SELECT jsonb_agg(late) FROM jsonb_array_elements(excluded.rules) AS late
             WHERE NOT n.rules @> jsonb_build_array(jsonb_build_object('rule_id', late -> 'rule_id'))),
           updated_at = now()
       WHERE EXISTS (
         SELECT FROM jsonb_array_elements(excluded.rules) AS late
         WHERE NOT n.rules @> jsonb_build_array(jsonb_build_object('rule_id', late -> 'rule_id')))
       RETURNING n.notification_id, n.team_id, n.alert_id, n.status
     ), begun AS (
       INSERT INTO handovers (handover_id) SELECT $7 WHERE EXISTS (SELECT FROM upserted)
     )
     SELECT u.*, m.notification_id IS NOT NULL AS created, m.notification_id IS NULL AS merged
     FROM upserted u LEFT JOIN match m USING (notification_id)
     UNION ALL
     SELECT n.notification_id, n.team_id, n.alert_id, n.status, false, false
     FROM notifications n JOIN match m USING (team_id, alert_id)
     WHERE n.status = 'pending' AND NOT EXISTS (SELECT FROM upserted u WHERE u.notification_id = n.notification_id)`,
    [
      sorted.map(() => newId('notification')),
      sorted.map(match => match.team_id),
      sorted.map(match => match.alert.alert_id),
      sorted.map(match => match.alert.dedup_key ?? null),
      sorted.map(match => JSON.stringify(match.alert)),
      sorted.map(match => JSON.stringify(match.rules)),
      handoverId,
    ],
  )
  return {
    handoverId,
    pending: rows.filter(row => row.status === 'pending').map(pendingOf),
    created: rows.filter(row => row.created).length,
    merged: rows.filter(row => row.merged).length,
  }
}

function byTeamAndAlert(a: Match, b: Match): number {
  if (a.team_id !== b.team_id) return a.team_id < b.team_id ? -1 : 1
  return a.alert.alert_id < b.alert.alert_id ? -1 : 1
}

function pendingOf(row: { notification_id: string; team_id: string; alert_id: string }): Pending {
  return { notificationId: row.notification_id, teamId: row.team_id, alertId: row.alert_id }
}

/**
 * Handed over. Never waits for a row, so it cannot be part of a deadlock: who holds one of these rows is either setting
 * a later status, or merging rules into it, and then hands it over himself.
 */
export async function markReady(db: Queryable, notificationIds: readonly string[]): Promise<void> {
  await db.query(
    `UPDATE notifications SET status = 'ready', updated_at = now()
     WHERE notification_id IN (
       SELECT notification_id FROM notifications
       WHERE notification_id = ANY($1) AND status = 'pending' FOR NO KEY UPDATE SKIP LOCKED)`,
    [notificationIds],
  )
}

/**
 * Unless one of its notifications is still pending: a match that has rules to come, or a row that somebody else held
 * while it was marked. The sweep then looks again.
 */
export async function endHandover(db: Queryable, handoverId: string): Promise<void> {
  await db.query(
    `DELETE FROM handovers h WHERE handover_id = $1
     AND NOT EXISTS (SELECT FROM notifications n WHERE n.created_at = h.made_at AND n.status = 'pending')`,
    [handoverId],
  )
}

export interface LeftBehind extends Pending {
  problem: string
  createdAt: Date
}

/** Oldest first. */
export async function findHandovers(db: Queryable, olderThanMs: number): Promise<string[]> {
  const { rows } = await db.query<{ handover_id: string }>(
    `SELECT handover_id FROM handovers WHERE made_at < now() - $1 * interval '1 ms' ORDER BY made_at`,
    [olderThanMs],
  )
  return rows.map(row => row.handover_id)
}

/**
 * Of the rows that one batch made, those that nobody handed over; none if another sweep has the batch. The locks last as
 * long as the transaction of the caller. Without the alerts, which may have half a megabyte each; Postgres could not
 * look into them either, because `->>` fails on U+0000 and half surrogate pairs anywhere in a `json` value.
 */
export async function lockLeftBehind(db: Queryable, handoverId: string, limit: number): Promise<LeftBehind[]> {
  const { rows } = await db.query<{
    notification_id: string
    team_id: string
    alert_id: string
    problem: string
    created_at: Date
  }>(
    `WITH batch AS (SELECT made_at FROM handovers WHERE handover_id = $1 FOR UPDATE SKIP LOCKED)
     SELECT notification_id, team_id, alert_id, coalesce(dedup_key, alert_id) AS problem, created_at
     FROM notifications JOIN batch ON created_at = made_at
     WHERE status = 'pending'
     ORDER BY notification_id LIMIT $2 FOR NO KEY UPDATE OF notifications SKIP LOCKED`,
    [handoverId, limit],
  )
  return rows.map(row => ({ ...pendingOf(row), problem: row.problem, createdAt: row.created_at }))
}
