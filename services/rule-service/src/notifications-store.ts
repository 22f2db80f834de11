import type { DeliveryState, NotificationStatus } from '@tocsin/contracts/http'
import type { PageRequest } from '@tocsin/http/paging'
import type { Queryable } from '@tocsin/postgres/database'

/** Written by aggregator and sender; read here, newest first. */
export interface NotificationRow {
  notification_id: string
  team_id: string
  alert_id: string
  alert: Record<string, unknown>
  rules: { rule_id: string; name: string; version: number }[]
  status: NotificationStatus
  created_at: Date
  updated_at: Date
}

/** A row is `ready` when it is made, and pending for as long as the batch that it is handed over with. */
const isPending = `handover_id IN (SELECT handover_id FROM handovers) AND status IN ('ready', 'skipped')`

const notificationColumns = `notification_id, team_id, alert_id, alert, rules,
  CASE WHEN ${isPending} THEN 'pending' ELSE status END AS status, created_at, updated_at`

export interface NotificationFilter {
  alertId: string | undefined
  status: NotificationStatus | undefined
}

/** Of rows with the status that is the third parameter. */
function withStatus(status: NotificationStatus | undefined): string {
  switch (status) {
    case undefined:
      return '$3::text IS NULL'
    case 'pending':
      // Nearly always there is no batch on its way, and so nothing to look through.
      return `$3 = 'pending' AND ${isPending} AND notification_id >= (SELECT min(first_id) FROM handovers)`
    case 'partial':
    case 'failed':
      return 'outcome = $3' // it has an index
    default:
      return `status = $3 AND NOT (${isPending})`
  }
}

export async function listNotifications(
  db: Queryable,
  teamId: string,
  { alertId, status }: NotificationFilter,
  { limit, after }: PageRequest,
): Promise<NotificationRow[]> {
  const { rows } = await db.query<NotificationRow>(
    `SELECT ${notificationColumns} FROM notifications
     WHERE team_id = $1
       AND ($2::text IS NULL OR notification_id = (
             SELECT notification_id FROM notification_keys WHERE team_id = $1 AND alert_id = $2))
       AND ${withStatus(status)}
       AND ($4::text IS NULL OR notification_id < $4)
     ORDER BY notification_id DESC LIMIT $5`,
    [teamId, alertId, status, after, limit + 1],
  )
  return rows
}

export async function findNotification(
  db: Queryable,
  teamId: string,
  id: string,
): Promise<NotificationRow | undefined> {
  const { rows } = await db.query<NotificationRow>(
    `SELECT ${notificationColumns} FROM notifications WHERE team_id = $1 AND notification_id = $2`,
    [teamId, id],
  )
  return rows[0]
}

export interface DeliveryRow {
  delivery_id: string
  notification_id: string
  team_id: string
  endpoint_id: string
  kind: string
  state: DeliveryState
  attempts: number
  due_at: Date
  last_error: string | null
  created_at: Date
  updated_at: Date
}

const deliveryColumns =
  'delivery_id, notification_id, team_id, endpoint_id, kind, state, attempts, due_at, last_error, created_at, updated_at'

export interface DeliveryFilter {
  notificationId: string | undefined
  state: DeliveryState | undefined
}

export async function listDeliveries(
  db: Queryable,
  teamId: string,
  { notificationId, state }: DeliveryFilter,
  { limit, after }: PageRequest,
): Promise<DeliveryRow[]> {
  const { rows } = await db.query<DeliveryRow>(
    `SELECT ${deliveryColumns} FROM deliveries
     WHERE team_id = $1
       AND ($2::text IS NULL OR notification_id = $2)
       AND ($3::text IS NULL OR state = $3)
       AND ($4::text IS NULL OR delivery_id < $4)
     ORDER BY delivery_id DESC LIMIT $5`,
    [teamId, notificationId, state, after, limit + 1],
  )
  return rows
}

export async function findDelivery(db: Queryable, teamId: string, id: string): Promise<DeliveryRow | undefined> {
  const { rows } = await db.query<DeliveryRow>(
    `SELECT ${deliveryColumns} FROM deliveries WHERE team_id = $1 AND delivery_id = $2`,
    [teamId, id],
  )
  return rows[0]
}
