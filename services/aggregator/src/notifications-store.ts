import { randomUUID } from 'node:crypto'
import { newIds } from '@tocsin/contracts/ids'
import type { Database, Queryable } from '@tocsin/postgres/database'
import type { IncomingMatch, MatchedAlert } from './merge-matches.ts'
import { makePartitions } from './partitions.ts'

export interface Upserted {
  /** For each match its notification, if nobody is known to have handed it over. */
  pending: (string | undefined)[]
  /** Those of them that were made with nobody to tell. */
  skipped: Set<string>
  /** To be ended when all that is pending, and has all its rules, was handed over. */
  handoverIds: string[]
  created: number
  /** Rows that were there and got rules that they did not have. */
  merged: number
}

/** A match on its way into the table. */
interface Incoming {
  /** Its place in the batch. */
  readonly at: number
  readonly match: IncomingMatch
  readonly notificationId: string
}

/**
 * The boundary of the pipeline: a row per (team, alert), made once. Of rows that were there already, a rule that matched
 * later is added to them; those whose batch was never handed over become part of this one; and a match that says nothing
 * new leaves its row untouched, so a topic read again from its start writes nothing.
 *
 * `matches` must hold each (team, alert) once.
 */
export async function upsertNotifications(db: Database, matches: readonly IncomingMatch[]): Promise<Upserted> {
  const ids = newIds('notification', matches.length)
  const incoming = matches.map((match, at) => ({ at, match, notificationId: ids[at]! }))
  // In the order of the unique index: aggregators that have the same rows (a partition that changed hands) then wait
  // for each other in a line and not in a circle.
  incoming.sort(byTeamAndAlert)
  const [wholeId, againId] = [randomUUID(), randomUUID()]
  const insert = () => insertNew(db, incoming, wholeId)
  const created = await insert().catch(error =>
    isWithoutPartition(error) ? makePartitions(db).then(insert) : Promise.reject(error),
  )
  const known = incoming.filter(row => !created.has(row.notificationId))
  const updated = known.length === 0 ? [] : await updateKnown(db, known, againId)
  const pending = ids.map(id => (created.has(id) ? id : undefined))
  for (const row of updated) if (row.pending) pending[row.at] = row.notification_id
  const untold = incoming.filter(row => created.has(row.notificationId) && !namesEndpoints(row.match))
  return {
    pending,
    skipped: new Set(untold.map(row => row.notificationId)),
    handoverIds: [wholeId, againId],
    created: created.size,
    merged: updated.filter(row => row.merged).length,
  }
}

/** A clock that went ahead of the upkeep, as that of a machine that slept for days. */
const isWithoutPartition = (error: unknown) => error instanceof Error && 'code' in error && error.code === '23514'

function byTeamAndAlert({ match: a }: Incoming, { match: b }: Incoming): number {
  if (a.teamId !== b.teamId) return a.teamId < b.teamId ? -1 : 1
  return a.alert.alertId < b.alert.alertId ? -1 : 1
}

/**
 * Makes those that have no row yet, in one statement, and gives their ids. JSON without line ends goes over as lines of
 * one text: as elements of an array each has to be escaped, sent with its escapes and read again, which cost as much
 * processor time as the rest of the statement, here and in Postgres.
 */
async function insertNew(db: Queryable, rows: readonly Incoming[], wholeId: string): Promise<Set<string>> {
  // Parts wait for the rest of their rules, and must not keep the batch that they came with from being ended.
  const partsId = randomUUID()
  const lines = (of: (row: Incoming) => string) => rows.map(of).join('\n')
  // An alert is sent once, however many teams it is told to.
  const places = new Map<MatchedAlert, number>()
  for (const { match } of rows) if (!places.has(match.alert)) places.set(match.alert, places.size + 1)
  const {
    rows: [made],
  } = await db.query<{ created: number; ids: string[] | null }>(
    `WITH alert AS (
       SELECT at, line::json AS alert FROM string_to_table($5, E'\\n') WITH ORDINALITY AS lines (line, at)
     ), match AS (
       SELECT notification_id, team_id, alert_id, dedup_key, at, rules::json, status, handover_id::uuid
       FROM unnest(string_to_array($1, E'\\n'), string_to_array($2, E'\\n'), $3::text[], $4::text[],
                   $10::int[], string_to_array($6, E'\\n'), string_to_array($7, E'\\n'), string_to_array($8, E'\\n'))
         AS m (notification_id, team_id, alert_id, dedup_key, at, rules, status, handover_id)
     ), key AS (
       -- Of nothing but the rows as they were given: a join would take their order away.
       INSERT INTO notification_keys (team_id, alert_id, notification_id)
       SELECT team_id, alert_id, notification_id FROM match
       ON CONFLICT (team_id, alert_id) DO NOTHING
       RETURNING notification_id
     ), made AS (
       INSERT INTO notifications (notification_id, team_id, alert_id, dedup_key, alert, rules, status, handover_id)
       SELECT notification_id, team_id, alert_id, dedup_key, alert, rules, status, handover_id
       FROM match JOIN key USING (notification_id) JOIN alert USING (at)
     ), begun AS (
       INSERT INTO handovers (handover_id, first_id, last_id)
       SELECT handover_id, min(notification_id), max(notification_id)
       FROM match JOIN key USING (notification_id) GROUP BY handover_id
     )
     SELECT count(*) AS created, CASE WHEN count(*) < $9 THEN array_agg(notification_id) END AS ids FROM key`,
    [
      lines(row => row.notificationId),
      lines(row => row.match.teamId),
      rows.map(row => row.match.alert.alertId),
      rows.map(row => row.match.alert.dedupKey ?? null),
      [...places.keys()].map(alert => alert.json).join('\n'),
      lines(row => JSON.stringify(row.match.rules)),
      lines(row => (namesEndpoints(row.match) ? 'ready' : 'skipped')),
      lines(row => (row.match.moreRules ? partsId : wholeId)),
      rows.length,
      rows.map(row => places.get(row.match.alert)),
    ],
  )
  // Nearly always all of them, and then none need be named.
  if (made?.created === rows.length) return new Set(rows.map(row => row.notificationId))
  return new Set(made?.ids ?? [])
}

const namesEndpoints = (match: IncomingMatch) => match.rules.some(rule => rule.endpoint_ids.length > 0)

interface UpdatedRow {
  at: number
  notification_id: string
  merged: boolean
  pending: boolean
}

/**
 * Rows that were there before. What is pending goes over to a batch of ours, unless the rest of its rules is still to
 * come; who had it before may hand it over too, which is a repeat to the sender.
 */
async function updateKnown(db: Queryable, rows: readonly Incoming[], againId: string): Promise<UpdatedRow[]> {
  const { rows: updated } = await db.query<UpdatedRow>(
    `WITH match AS (
       SELECT * FROM unnest($1::int[], $2::text[], $3::text[], $4::jsonb[], $5::bool[], $6::bool[])
         AS m (at, team_id, alert_id, rules, whole, names_endpoints)
     ), changing AS (
       -- Looked at once more when the lock had to be waited for: what another added meanwhile is not late.
       SELECT m.*, n.notification_id, late.rules AS late, h.handover_id IS NOT NULL AS pending
       FROM match m JOIN notification_keys USING (team_id, alert_id) JOIN notifications n USING (notification_id)
       LEFT JOIN handovers h USING (handover_id),
       LATERAL (SELECT jsonb_agg(late) AS rules FROM jsonb_array_elements(m.rules) AS late
                WHERE NOT n.rules::jsonb @> jsonb_build_array(jsonb_build_object('rule_id', late -> 'rule_id'))) AS late
       WHERE late.rules IS NOT NULL OR h.handover_id IS NOT NULL AND whole
       ORDER BY m.team_id, m.alert_id FOR NO KEY UPDATE OF n
     ), changed AS (
       UPDATE notifications n
       SET rules = CASE WHEN late IS NULL THEN n.rules ELSE (n.rules::jsonb || late)::json END,
           status = CASE WHEN n.status = 'skipped' AND pending AND names_endpoints THEN 'ready' ELSE n.status END,
           handover_id = CASE WHEN pending AND whole THEN $7 ELSE n.handover_id END,
           updated_at = now()
       FROM changing c WHERE n.notification_id = c.notification_id
       RETURNING c.at, n.notification_id, late IS NOT NULL AS merged, pending AND whole AS pending
     ), begun AS (
       INSERT INTO handovers (handover_id, first_id, last_id)
       SELECT $7, min(notification_id), max(notification_id) FROM changed WHERE pending HAVING count(*) > 0
     )
     SELECT * FROM changed`,
    [
      rows.map(row => row.at),
      rows.map(row => row.match.teamId),
      rows.map(row => row.match.alert.alertId),
      rows.map(row => JSON.stringify(row.match.rules)),
      rows.map(row => !row.match.moreRules),
      rows.map(row => namesEndpoints(row.match)),
      againId,
    ],
  )
  return updated
}
