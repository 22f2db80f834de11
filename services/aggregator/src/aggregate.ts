import { problemKey } from '@tocsin/contracts/alert'
import { decodeMessage } from '@tocsin/contracts/decode'
import { type Match, matchSchema, type NotificationReady, schemaVersion } from '@tocsin/contracts/messages'
import type { Stage } from '@tocsin/kafka/consume'
import { headerText } from '@tocsin/kafka/headers'
import type { OutgoingMessage, Producer } from '@tocsin/kafka/producer'
import type { KafkaRecord } from '@tocsin/kafka/source'
import type { Database } from '@tocsin/postgres/database'
import { endHandovers } from './handovers-store.ts'
import { mergeMatches } from './merge-matches.ts'
import { handedOver, notifications, readySeconds } from './meters.ts'
import { upsertNotifications } from './notifications-store.ts'

/** A match, and the headers that go on with its notification. */
export interface IncomingMatch {
  match: Match
  headers: Record<string, string>
}

/**
 * Matches become notifications, each (team, alert) one. The order of the steps is the guarantee: row first, then the
 * record, then the end of the handover, then (in `consume`) the offset. A crash between two steps leaves the offset behind,
 * the handover, or both, and each is taken up again; what is then published twice is one row to the sender. A row whose
 * match has more rules to come stays pending until they are there: whom the sender tells is decided by the rules that it
 * finds.
 */
export function createAggregate(db: Database, producer: Producer, topic: string): Stage<IncomingMatch> {
  return {
    name: 'aggregate',
    decode: decodeMatch,
    async handle(events) {
      const incoming = mergeMatches(events.map(event => event.value))
      const { pending, skipped, handoverIds, created, merged } = await upsertNotifications(
        db,
        incoming.map(({ match }) => match),
      )
      notifications.inc({ outcome: 'created' }, created)
      notifications.inc({ outcome: 'merged' }, merged)
      notifications.inc({ outcome: 'repeated' }, events.length - created - merged)
      const handOvers = incoming.flatMap(({ match, headers }, at) => {
        const notificationId = pending[at]
        if (notificationId === undefined || match.more_rules) return []
        return [handOverOf(notificationId, skipped.has(notificationId), match, headers)]
      })
      if (handOvers.length === 0) return
      await handOver(producer, topic, handOvers)
      await endHandovers(db, handoverIds)
      handedOver.inc({ by: 'aggregate' }, handOvers.length)
    },
  }
}

export function decodeMatch(record: KafkaRecord): IncomingMatch {
  const match = decodeMessage(matchSchema, record.value)
  const headers: Record<string, string> = {}
  for (const name of ['traceparent', 'origin']) {
    const text = headerText(record, name)
    if (text !== undefined) headers[name] = text
  }
  return { match, headers }
}

/** A notification to publish, with what the record says besides the row. */
export interface HandOver {
  notificationId: string
  teamId: string
  alertId: string
  /** What keeps its order: the alert's `dedup_key`, else its `alert_id`. */
  problem: string
  /** When it happened, as far as that is known. */
  since: number
  /** Nobody is named to be told: the sender need not look it up. */
  skipped?: boolean
  headers: Record<string, string>
}

function handOverOf(
  notificationId: string,
  skipped: boolean,
  { team_id, alert }: Match,
  headers: Record<string, string>,
): HandOver {
  const [problem, since] = [problemKey(alert), Date.parse(alert.event_ts)]
  return { notificationId, teamId: team_id, alertId: alert.alert_id, problem, since, skipped, headers }
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
