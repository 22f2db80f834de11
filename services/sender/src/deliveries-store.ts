import { newId } from '@tocsin/contracts/ids'
import type { Queryable } from '@tocsin/postgres/database'

/**
 * A delivery's life, all of it in its row; a job in Redis only says "look at this row now":
 *
 * pending     made, never tried. `due_at` is how long its first job is trusted to be on its way.
 * delivering  claimed by a sender for one attempt. `due_at` is when that sender counts as dead.
 * scheduled   tried, to be tried again at `due_at`.
 * delivered, failed, skipped   final.
 *
 * Whatever is open and past its `due_at` belongs to nobody, and the sweep gives it a new job. Every change of state
 * names the state before it, so of two that want the same change one gets it.
 */

/** One attempt to be made: what the queue holds. */
export interface Job {
  deliveryId: string
  attempt: number
}

export interface Expansion {
  jobs: Job[]
  /** Notifications that have nobody to be told. */
  skipped: string[]
  /** Asked for, but there is no such row. */
  unknown: string[]
}

interface RecipientRow {
  notification_id: string
  team_id: string
  /** Whether it has its deliveries; `skipped`: it was made without anybody to tell. */
  state: 'fresh' | 'expanded' | 'skipped'
  endpoint_id: string | null
  kind: string | null
}

/**
 * Makes the deliveries of these notifications, once: a notification that has deliveries already gets no more, whatever
 * rules were merged into it since. Deliveries from an earlier run that were never tried are in `jobs` again.
 */
export async function createDeliveries(db: Queryable, notificationIds: string[], leaseMs: number): Promise<Expansion> {
  const recipients = await loadRecipients(db, notificationIds)
  const known = new Set(recipients.map(row => row.notification_id))
  const fresh = recipients.filter(row => row.state === 'fresh')
  const told = fresh.filter(row => row.endpoint_id !== null)
  const untold = fresh.filter(row => row.endpoint_id === null)
  const again = recipients.filter(row => row.state === 'expanded')
  const deliveryIds = [...(await insertDeliveries(db, told, leaseMs)), ...(await untriedDeliveries(db, idsOf(again)))]
  await skipNotifications(db, idsOf(untold))
  return {
    jobs: deliveryIds.map(deliveryId => ({ deliveryId, attempt: 1 })),
    skipped: idsOf([...untold, ...recipients.filter(row => row.state === 'skipped')]),
    unknown: notificationIds.filter(id => !known.has(id)),
  }
}

/**
 * One row per notification and endpoint; a notification without any endpoint has one row with nulls. LIMIT keeps the look for
 * deliveries one into the index for each: as EXISTS it is planned to read the whole table once a batch, which with 100,000
 * deliveries and 1,500 notifications a second was more than half of what Postgres did.
 */
async function loadRecipients(db: Queryable, notificationIds: string[]): Promise<RecipientRow[]> {
  const { rows } = await db.query<RecipientRow>(
    `SELECT n.notification_id, n.team_id, e.endpoint_id, e.kind,
            CASE WHEN n.status = 'skipped' THEN 'skipped'
                 WHEN n.status <> 'ready' OR made.already IS NOT NULL THEN 'expanded'
                 ELSE 'fresh' END AS state
     FROM notifications n
     LEFT JOIN LATERAL (
       SELECT DISTINCT endpoint_id
       FROM json_array_elements(n.rules) AS rule, json_array_elements_text(rule -> 'endpoint_ids') AS endpoint_id
     ) wanted ON n.status <> 'skipped'
     LEFT JOIN endpoints e ON e.endpoint_id = wanted.endpoint_id AND e.team_id = n.team_id AND e.enabled
     LEFT JOIN LATERAL (
       SELECT true AS already FROM deliveries d WHERE d.notification_id = n.notification_id LIMIT 1
     ) made ON true
     WHERE n.notification_id = ANY($1)`,
    [notificationIds],
  )
  return withoutSpareNulls(rows)
}

/** Endpoints that are off or gone come as nulls too; one such row is kept only where there is nothing else. */
function withoutSpareNulls(rows: RecipientRow[]): RecipientRow[] {
  const kept = rows.filter(row => row.endpoint_id !== null)
  const seen = new Set(kept.map(row => row.notification_id))
  for (const row of rows) {
    if (seen.has(row.notification_id)) continue
    seen.add(row.notification_id)
    kept.push(row)
  }
  return kept
}

async function insertDeliveries(db: Queryable, rows: RecipientRow[], leaseMs: number): Promise<string[]> {
  if (rows.length === 0) return []
  // In the order of the unique index: two senders with the same records must not wait for each other in a circle.
  const sorted = rows.toSorted((a, b) => (key(a) < key(b) ? -1 : 1))
  const inserted = await db.query<{ delivery_id: string }>(
    `INSERT INTO deliveries (delivery_id, notification_id, endpoint_id, team_id, kind, due_at)
     SELECT made.*, now() + $6 * interval '1 ms'
     FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[]) AS made
     ON CONFLICT (notification_id, endpoint_id) DO NOTHING
     RETURNING delivery_id`,
    [
      sorted.map(() => newId('delivery')),
      sorted.map(row => row.notification_id),
      sorted.map(row => row.endpoint_id),
      sorted.map(row => row.team_id),
      sorted.map(row => row.kind),
      leaseMs,
    ],
  )
  return inserted.rows.map(row => row.delivery_id)
}

const idsOf = (rows: readonly RecipientRow[]) => rows.map(row => row.notification_id)

const key = (row: RecipientRow) => `${row.notification_id} ${row.endpoint_id}`

/** Of a ready record that is read again: its sender may have died before the jobs were added. */
async function untriedDeliveries(db: Queryable, notificationIds: string[]): Promise<string[]> {
  if (notificationIds.length === 0) return []
  const { rows } = await db.query<{ delivery_id: string }>(
    `SELECT delivery_id FROM deliveries WHERE notification_id = ANY($1) AND state = 'pending'`,
    [[...new Set(notificationIds)]],
  )
  return rows.map(row => row.delivery_id)
}

async function skipNotifications(db: Queryable, notificationIds: string[]): Promise<void> {
  if (notificationIds.length === 0) return
  await db.query(
    `UPDATE notifications SET status = 'skipped', updated_at = now()
     WHERE status = 'ready' AND notification_id IN (
       SELECT notification_id FROM notifications WHERE notification_id = ANY($1)
       ORDER BY notification_id FOR NO KEY UPDATE)`,
    [notificationIds],
  )
}

/** Their jobs did not get into the queue: due at once, for the sweep. */
export async function makeDueNow(db: Queryable, jobs: Job[]): Promise<void> {
  await db.query(
    `UPDATE deliveries SET due_at = now()
     WHERE state IN ('pending', 'scheduled') AND delivery_id IN (
       SELECT delivery_id FROM deliveries WHERE delivery_id = ANY($1) ORDER BY delivery_id FOR NO KEY UPDATE)`,
    [jobs.map(job => job.deliveryId)],
  )
}

/**
 * Takes what is due: retries, and whatever a dead sender or a lost Redis left behind. An attempt that was running when
 * its sender died is kept as one, since it may have reached the recipient.
 */
export async function takeDue(db: Queryable, limit: number, leaseMs: number): Promise<Job[]> {
  const { rows } = await db.query<{ delivery_id: string; attempts: number }>(
    `WITH due AS (
       SELECT delivery_id, state, attempts, updated_at FROM deliveries
       WHERE state IN ('pending', 'scheduled', 'delivering') AND due_at <= now()
       ORDER BY due_at LIMIT $1 FOR NO KEY UPDATE SKIP LOCKED
     ), interrupted AS (
       INSERT INTO delivery_attempts (delivery_id, attempt, started_at, duration_ms, error_code)
       SELECT delivery_id, attempts, updated_at, extract(epoch FROM now() - updated_at) * 1000, 'interrupted'
       FROM due WHERE state = 'delivering'
       ON CONFLICT (delivery_id, attempt) DO NOTHING
     )
     UPDATE deliveries d
     SET state = CASE d.state WHEN 'delivering' THEN 'scheduled' ELSE d.state END,
         due_at = now() + $2 * interval '1 ms', updated_at = now()
     FROM due WHERE d.delivery_id = due.delivery_id
     RETURNING d.delivery_id, d.attempts`,
    [limit, leaseMs],
  )
  return rows.map(row => ({ deliveryId: row.delivery_id, attempt: row.attempts + 1 }))
}

/** Open deliveries by state. What is final is not counted: that would read the whole table. */
export async function countOpenDeliveries(db: Queryable): Promise<Record<string, number>> {
  const { rows } = await db.query<{ state: string; count: number }>(
    `SELECT state, count(*) FROM deliveries WHERE state IN ('pending', 'scheduled', 'delivering') GROUP BY state`,
  )
  const counts: Record<string, number> = { pending: 0, scheduled: 0, delivering: 0 }
  for (const { state, count } of rows) counts[state] = count
  return counts
}

/** Deliveries that should have been taken up a while ago: more than a few for more than a moment means trouble. */
export async function countLate(db: Queryable, lateMs: number, countMax: number): Promise<number> {
  const { rows } = await db.query<{ count: number }>(
    `SELECT count(*) FROM (
       SELECT FROM deliveries
       WHERE state IN ('pending', 'scheduled', 'delivering') AND due_at < now() - $1 * interval '1 ms' LIMIT $2) late`,
    [lateMs, countMax],
  )
  return rows[0]?.count ?? 0
}
