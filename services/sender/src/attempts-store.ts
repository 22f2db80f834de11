import type { Alert } from '@tocsin/contracts/alert'
import type { Database, Queryable } from '@tocsin/postgres/database'
import type { Message, Recipient } from './channels/channel.ts'
import type { Job } from './deliveries-store.ts'

/** What a claim gives: everything that one attempt needs. */
export interface Claimed extends Job {
  kind: string
  message: Message
  /** Missing when the endpoint was deleted or turned off since. */
  recipient?: Recipient
}

interface ClaimedRow {
  delivery_id: string
  kind: string
  notification_id: string
  team_id: string
  alert: Alert
  rules: Message['rules']
  created_at: Date
  target: unknown
  secret: string | null
  enabled: boolean | null
}

/**
 * Claims these attempts, each for one sender: undefined for what is not there to be claimed, because somebody else has
 * it, because it is done, or because the job is an old one. A job that runs twice gets here twice and sends once.
 */
export async function claim(db: Queryable, jobs: Job[], claimMs: number): Promise<(Claimed | undefined)[]> {
  const { rows } = await db.query<ClaimedRow>(
    `WITH claimed AS (
       UPDATE deliveries d
       SET state = 'delivering', attempts = job.attempt, due_at = now() + $3 * interval '1 ms', updated_at = now()
       FROM unnest($1::text[], $2::int[]) AS job (delivery_id, attempt)
       WHERE d.delivery_id = job.delivery_id AND d.state IN ('pending', 'scheduled') AND d.attempts = job.attempt - 1
       RETURNING d.delivery_id, d.kind, d.notification_id, d.endpoint_id
     )
     SELECT c.delivery_id, c.kind, n.notification_id, n.team_id, n.alert, n.rules, n.created_at,
            e.target, e.secret, e.enabled
     FROM claimed c
     JOIN notifications n ON n.notification_id = c.notification_id
     LEFT JOIN endpoints e ON e.endpoint_id = c.endpoint_id`,
    [jobs.map(job => job.deliveryId), jobs.map(job => job.attempt), claimMs],
  )
  const byId = new Map(rows.map(row => [row.delivery_id, row]))
  return jobs.map(job => {
    const row = byId.get(job.deliveryId)
    byId.delete(job.deliveryId) // the same job twice in one statement is claimed once too
    return row === undefined ? undefined : claimedOf(job, row)
  })
}

function claimedOf(job: Job, row: ClaimedRow): Claimed {
  return {
    ...job,
    kind: row.kind,
    message: {
      deliveryId: row.delivery_id,
      notificationId: row.notification_id,
      teamId: row.team_id,
      alert: row.alert,
      rules: row.rules,
      notifiedAt: row.created_at,
    },
    ...(row.enabled === true && { recipient: { target: row.target, secret: row.secret } }),
  }
}

/** What became of one attempt, and of its delivery with it. */
export interface Attempted extends Job {
  state: 'delivered' | 'failed' | 'scheduled' | 'skipped'
  startedAt: Date
  durationMs: number
  /** For `scheduled`: the wait before the next attempt. */
  retryDelayMs?: number
  replyCode?: number
  reply?: string
  errorCode?: string
}

/**
 * Writes attempts, the states of their deliveries, and the status of each notification whose last delivery this was.
 * Gives for each whether it decided its delivery. Somebody whose claim ran out decides nothing any more, with one
 * exception: what reached the recipient is delivered, whoever waits to send it again.
 */
export async function record(db: Database, attempts: Attempted[]): Promise<boolean[]> {
  return db.transaction(async client => {
    const decided = await writeAttempts(client, attempts)
    const final = decided.filter(row => row.state !== 'scheduled')
    if (final.length > 0) await settleNotifications(client, final)
    const ids = new Set(decided.map(row => row.delivery_id))
    return attempts.map(attempt => ids.has(attempt.deliveryId))
  })
}

interface DecidedRow {
  delivery_id: string
  notification_id: string
  state: string
}

async function writeAttempts(client: Queryable, attempts: Attempted[]): Promise<DecidedRow[]> {
  const { rows } = await client.query<DecidedRow>(
    `WITH attempted AS (
       SELECT * FROM unnest($1::text[], $2::int[], $3::text[], $4::timestamptz[], $5::int[], $6::float8[], $7::int[],
                            $8::text[], $9::text[])
         AS a (delivery_id, attempt, state, started_at, duration_ms, retry_delay_ms, reply_code, reply, error_code)
     ), kept AS (
       INSERT INTO delivery_attempts (delivery_id, attempt, started_at, duration_ms, reply_code, reply, error_code)
       SELECT delivery_id, attempt, started_at, duration_ms, reply_code, reply, error_code
       FROM attempted WHERE state <> 'skipped'
       -- The sweep may have written "interrupted" there: what really came of it is better known here.
       ON CONFLICT (delivery_id, attempt) DO UPDATE
       SET started_at = excluded.started_at, duration_ms = excluded.duration_ms, reply_code = excluded.reply_code,
           reply = excluded.reply, error_code = excluded.error_code
     )
     UPDATE deliveries d
     SET state = a.state, last_error = a.error_code, updated_at = now(),
         due_at = now() + coalesce(a.retry_delay_ms, 0) * interval '1 ms'
     FROM attempted a
     WHERE d.delivery_id = a.delivery_id
       AND (d.state = 'delivering' AND d.attempts = a.attempt
            OR a.state = 'delivered' AND d.state IN ('scheduled', 'delivering'))
     RETURNING d.delivery_id, d.notification_id, d.state`,
    [
      attempts.map(a => a.deliveryId),
      attempts.map(a => a.attempt),
      attempts.map(a => a.state),
      attempts.map(a => a.startedAt.toISOString()),
      attempts.map(a => a.durationMs),
      attempts.map(a => a.retryDelayMs ?? null),
      attempts.map(a => a.replyCode ?? null),
      attempts.map(a => a.reply ?? null),
      attempts.map(a => a.errorCode ?? null),
    ],
  )
  return rows
}

/**
 * Two senders may finish the last two deliveries of one notification at the same moment, each not seeing the other's
 * row. So whoever comes takes the notification first and counts afterwards, in a statement of its own, which sees what
 * was committed meanwhile: the second one sees both.
 */
async function settleNotifications(client: Queryable, decided: DecidedRow[]): Promise<void> {
  const ids = [...new Set(decided.map(row => row.notification_id))]
  await client.query(
    `SELECT FROM notifications WHERE notification_id = ANY($1) ORDER BY notification_id FOR NO KEY UPDATE`,
    [ids],
  )
  await client.query(
    `UPDATE notifications n
     SET status = ended, outcome = CASE WHEN ended IN ('partial', 'failed') THEN ended END, updated_at = now()
     FROM (
       SELECT notification_id, open,
              CASE WHEN told = total - skipped AND told > 0 THEN 'delivered'
                   WHEN skipped = total THEN 'skipped'
                   WHEN told = 0 THEN 'failed'
                   ELSE 'partial' END AS ended
       FROM (
         SELECT notification_id, count(*) AS total,
                count(*) FILTER (WHERE state = 'delivered') AS told,
                count(*) FILTER (WHERE state = 'skipped') AS skipped,
                count(*) FILTER (WHERE state IN ('pending', 'scheduled', 'delivering')) AS open
         FROM deliveries WHERE notification_id = ANY($1) GROUP BY notification_id
       ) sum
     ) end_of
     WHERE n.notification_id = end_of.notification_id AND open = 0 AND n.status = 'ready'`,
    [ids],
  )
}
