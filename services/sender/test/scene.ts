import { randomBytes } from 'node:crypto'
import type { Alert } from '@tocsin/contracts/alert'
import { newId } from '@tocsin/contracts/ids'
import { topics } from '@tocsin/contracts/topics'
import type { KafkaClient } from '@tocsin/kafka/client'
import { createProducer } from '@tocsin/kafka/producer'
import type { Queryable } from '@tocsin/postgres/database'

/** What rule-service and aggregator would have written before the sender reads anything. */

export const secret = `whsec_${randomBytes(24).toString('base64')}`

export async function addTeam(db: Queryable, teamId = 'payments'): Promise<void> {
  await db.query('INSERT INTO teams (team_id, name) VALUES ($1, $1) ON CONFLICT DO NOTHING', [teamId])
}

export async function addWebhook(db: Queryable, url: string, { enabled = true, teamId = 'payments' } = {}) {
  return addEndpoint(db, 'webhook', { url }, secret, enabled, teamId)
}

export async function addMailbox(db: Queryable, to: string[]): Promise<string> {
  return addEndpoint(db, 'email', { to }, null, true, 'payments')
}

async function addEndpoint(
  db: Queryable,
  kind: string,
  target: unknown,
  endpointSecret: string | null,
  enabled: boolean,
  teamId: string,
): Promise<string> {
  const endpointId = newId('endpoint')
  await addTeam(db, teamId)
  await db.query(
    `INSERT INTO endpoints (endpoint_id, team_id, kind, name, target, secret, enabled) VALUES ($1, $2, $3, $3, $4, $5, $6)`,
    [endpointId, teamId, kind, JSON.stringify(target), endpointSecret, enabled],
  )
  return endpointId
}

export interface Notified {
  notificationId: string
  alert: Alert
}

/** One notification per call of a rule for each endpoint, as the aggregator leaves it. */
export async function notify(db: Queryable, endpointIds: string[], alert: Partial<Alert> = {}): Promise<Notified> {
  const notificationId = newId('notification')
  const whole: Alert = {
    alert_id: `alert-${randomBytes(6).toString('hex')}`,
    severity: 'HIGH',
    source: 'api',
    name: 'timeout',
    context: { host: 'h1' },
    event_ts: new Date().toISOString(),
    status: 'firing',
    ...alert,
  }
  const rules = endpointIds.length === 0 ? [[]] : endpointIds.map(id => [id])
  const matched = rules.map((endpoint_ids, i) => ({ rule_id: `rul_${i}`, name: `rule ${i}`, version: 3, endpoint_ids }))
  await db.query(
    `INSERT INTO notifications (notification_id, team_id, alert_id, alert, rules, status)
     VALUES ($1, 'payments', $2, $3, $4, 'ready')`,
    [notificationId, whole.alert_id, JSON.stringify(whole), JSON.stringify(matched)],
  )
  return { notificationId, alert: whole }
}

export async function publishReady(kafka: KafkaClient, notified: readonly Notified[]): Promise<void> {
  const producer = createProducer(kafka)
  const message = ({ notificationId, alert }: Notified) => ({
    topic: kafka.topic(topics.notificationsReady),
    key: `payments:${alert.alert_id}`,
    value: JSON.stringify({
      schema_version: 1,
      notification_id: notificationId,
      team_id: 'payments',
      alert_id: alert.alert_id,
    }),
    headers: { schema_version: '1' },
  })
  try {
    await producer.send(notified.map(message))
  } finally {
    await producer.close()
  }
}

export async function statusOf(db: Queryable, { notificationId }: Notified): Promise<string | undefined> {
  const { rows } = await db.query<{ status: string }>('SELECT status FROM notifications WHERE notification_id = $1', [
    notificationId,
  ])
  return rows[0]?.status
}

/** How many notifications have which status. */
export async function statuses(db: Queryable): Promise<Record<string, number>> {
  const { rows } = await db.query<{ status: string; count: number }>(
    'SELECT status, count(*) FROM notifications GROUP BY status',
  )
  return Object.fromEntries(rows.map(({ status, count }) => [status, count]))
}

export interface DeliveryRow {
  delivery_id: string
  endpoint_id: string
  state: string
  attempts: number
  last_error: string | null
}

export async function deliveriesOf(db: Queryable, { notificationId }: Notified): Promise<DeliveryRow[]> {
  const { rows } = await db.query<DeliveryRow>(
    'SELECT * FROM deliveries WHERE notification_id = $1 ORDER BY delivery_id',
    [notificationId],
  )
  return rows
}

export interface AttemptRow {
  attempt: number
  reply_code: number | null
  reply: string | null
  error_code: string | null
}

export async function attemptsOf(db: Queryable, deliveryId: string): Promise<AttemptRow[]> {
  const { rows } = await db.query<AttemptRow>(
    'SELECT attempt, reply_code, reply, error_code FROM delivery_attempts WHERE delivery_id = $1 ORDER BY attempt',
    [deliveryId],
  )
  return rows
}
