import { problemKey } from '@tocsin/contracts/alert'
import { decodeMessage } from '@tocsin/contracts/decode'
import {
  type Match,
  matchSchema,
  type NotificationReady,
  schemaVersion,
  type TeamMatch,
} from '@tocsin/contracts/messages'
import type { Stage } from '@tocsin/kafka/consume'
import { headerText } from '@tocsin/kafka/headers'
import type { OutgoingMessage, Producer } from '@tocsin/kafka/producer'
import type { KafkaRecord } from '@tocsin/kafka/source'
import type { Database } from '@tocsin/postgres/database'
import { endHandovers } from './handovers-store.ts'
import { type IncomingMatch, type MatchedAlert, mergeMatches } from './merge-matches.ts'
import { handedOver, notifications, readySeconds } from './meters.ts'
import { upsertNotifications } from './notifications-store.ts'

/** So many rows are made by one statement: an alert may concern very many teams. */
const rowsAtOnce = 5_000

/**
 * Matches become notifications, each (team, alert) one. The order of the steps is the guarantee: row first, then the
 * record, then the end of the handover, then (in `consume`) the offset. A crash between two steps leaves the offset behind,
 * the handover, or both, and each is taken up again; what is then published twice is one row to the sender. A row whose
 * match has more rules to come stays pending until they are there: whom the sender tells is decided by the rules that it
 * finds.
 */
export function createAggregate(db: Database, producer: Producer, topic: string): Stage<IncomingMatch[]> {
  return {
    name: 'aggregate',
    decode: decodeMatch,
    async handle(events) {
      const matches = events.flatMap(event => event.value)
      const merged = mergeMatches(matches)
      notifications.inc({ outcome: 'repeated' }, matches.length - merged.length)
      for (let from = 0; from < merged.length; from += rowsAtOnce) await notify(merged.slice(from, from + rowsAtOnce))
    },
  }

  async function notify(matches: readonly IncomingMatch[]): Promise<void> {
    const { pending, skipped, handoverIds, created, merged } = await upsertNotifications(db, matches)
    notifications.inc({ outcome: 'created' }, created)
    notifications.inc({ outcome: 'merged' }, merged)
    notifications.inc({ outcome: 'repeated' }, matches.length - created - merged)
    const handOvers = matches.flatMap(({ alert, teamId, moreRules }, at) => {
      const notificationId = pending[at]
      if (notificationId === undefined || moreRules) return []
      return [{ ...alert, notificationId, teamId, skipped: skipped.has(notificationId) }]
    })
    if (handOvers.length === 0) return
    await handOver(producer, topic, handOvers)
    await endHandovers(db, handoverIds)
    handedOver.inc({ by: 'aggregate' }, handOvers.length)
  }
}

/** The matches of a record, which are those of one alert. */
export function decodeMatch(record: KafkaRecord): IncomingMatch[] {
  const { alert, teams } = decodeMessage(matchSchema, record.value)
  const headers: Record<string, string> = {}
  for (const name of ['traceparent', 'origin']) {
    const text = headerText(record, name)
    if (text !== undefined) headers[name] = text
  }
  return matchesOf(alert, teams, headers)
}

export function matchesOf(
  alert: Match['alert'],
  teams: readonly TeamMatch[],
  headers: Record<string, string> = {},
): IncomingMatch[] {
  const { alert_id, dedup_key, event_ts } = alert
  const [problem, since, json] = [problemKey(alert), Date.parse(event_ts), JSON.stringify(alert)]
  const shared = { alertId: alert_id, dedupKey: dedup_key, problem, since, json, headers }
  return teams.map(({ team_id, rules, more_rules = false }) => ({
    alert: shared,
    teamId: team_id,
    rules,
    moreRules: more_rules,
  }))
}

/** A notification to publish, with what the record says besides the row. */
export interface HandOver extends Pick<MatchedAlert, 'alertId' | 'problem' | 'since' | 'headers'> {
  readonly notificationId: string
  readonly teamId: string
  /** Nobody is named to be told: the sender need not look it up. */
  readonly skipped?: boolean
}

export async function handOver(producer: Producer, topic: string, rows: readonly HandOver[]): Promise<void> {
  if (rows.length === 0) return
  await producer.send(rows.map(row => readyRecord(row, topic)))
  const now = Date.now()
  for (const { since } of rows) readySeconds.observe(Math.max(0, now - since) / 1_000)
}

export function readyRecord(row: HandOver, topic: string): OutgoingMessage {
  const message: NotificationReady = {
    schema_version: schemaVersion,
    notification_id: row.notificationId,
    team_id: row.teamId,
    alert_id: row.alertId,
    ...(row.skipped && { skipped: true }),
  }
  return {
    topic,
    key: `${row.teamId}:${row.problem}`,
    value: JSON.stringify(message),
    headers: { ...row.headers, schema_version: String(schemaVersion) },
  }
}
