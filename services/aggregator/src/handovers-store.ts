import type { Queryable } from '@tocsin/postgres/database'

/** All of these batches was handed over. */
export async function endHandovers(db: Queryable, handoverIds: readonly string[]): Promise<void> {
  await db.query('DELETE FROM handovers WHERE handover_id = ANY($1)', [handoverIds])
}

/** Oldest first. */
export async function findHandovers(db: Queryable, olderThanMs: number): Promise<string[]> {
  const { rows } = await db.query<{ handover_id: string }>(
    `SELECT handover_id FROM handovers WHERE made_at < now() - $1 * interval '1 ms' ORDER BY made_at`,
    [olderThanMs],
  )
  return rows.map(row => row.handover_id)
}

/** False when another sweep has it, or it has ended. The lock lasts as long as the transaction of the caller. */
export async function lockHandover(client: Queryable, handoverId: string): Promise<boolean> {
  const { rowCount } = await client.query('SELECT FROM handovers WHERE handover_id = $1 FOR UPDATE SKIP LOCKED', [
    handoverId,
  ])
  return rowCount === 1
}

export interface LeftBehind {
  notificationId: string
  teamId: string
  alertId: string
  problem: string
  createdAt: Date
}

/**
 * Notifications of a batch whose ids come after this one, in the order of arrival. Without the alerts, which may have half a
 * megabyte each; Postgres could not look into them either, because `->>` fails on U+0000 and half surrogate pairs anywhere
 * in a `json` value.
 */
export async function findLeftBehind(
  db: Queryable,
  handoverId: string,
  after: string,
  limit: number,
): Promise<LeftBehind[]> {
  const { rows } = await db.query<{
    notification_id: string
    team_id: string
    alert_id: string
    problem: string
    created_at: Date
  }>(
    `SELECT notification_id, team_id, alert_id, coalesce(dedup_key, alert_id) AS problem, created_at
     FROM handovers JOIN notifications USING (handover_id)
     WHERE handover_id = $1 AND notification_id BETWEEN first_id AND last_id AND notification_id > $2
     ORDER BY notification_id LIMIT $3`,
    [handoverId, after, limit],
  )
  return rows.map(row => ({
    notificationId: row.notification_id,
    teamId: row.team_id,
    alertId: row.alert_id,
    problem: row.problem,
    createdAt: row.created_at,
  }))
}
