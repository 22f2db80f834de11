import { problemKey } from '@tocsin/contracts/alert'
import { decodeMessage } from '@tocsin/contracts/decode'
import { type Match, matchSchema, type NotificationReady, schemaVersion } from '@tocsin/contracts/messages'
import type { Stage } from '@tocsin/kafka/consume'
import { headerText } from '@tocsin/kafka/headers'
import type { OutgoingMessage, Producer } from '@tocsin/kafka/producer'
import type { KafkaRecord } from '@tocsin/kafka/source'
import type { Database } from '@tocsin/postgres/database'
import { mergeMatches } from './merge-matches.ts'
import { handedOver, notifications, readySeconds } from './meters.ts'
import { endHandover, markReady, type Pending, upsertNotifications } from './notifications-store.ts'

/** A match, and the headers that go on with its notification. */
export interface IncomingMatch {
  match: Match
  headers: Record<string, string>
}

/**
 * Matches become notifications, each (team, alert) one. The order of the steps is the guarantee: row first, then the
 * record, then the mark, then (in `consume`) the offset. A crash between two steps leaves either the offset behind or
 * the row pending, and both are taken up again; what is then published twice is one row to the sender. A row whose match
 * has more rules to come stays pending until they are there: whom the sender tells is decided by the rules that it finds.
 */
export function createAggregate(db: Database, producer: Producer, topic: string): Stage<IncomingMatch> {
  return {
    name: 'aggregate',
    decode: decodeMatch,
    async handle(events) {
      const incoming = mergeMatches(events.map(event => event.value))
      const { handoverId, pending, created, merged } = await upsertNotifications(
        db,
        incoming.map(({ match }) => match),
      )
      notifications.inc({ outcome: 'created' }, created)
      notifications.inc({ outcome: 'merged' }, merged)
      notifications.inc({ outcome: 'repeated' }, events.length - created - merged)
      const whole = incoming.filter(({ match }) => !match.more_rules)
      const handOvers = withSources(pending, whole)
      await handOver(db, producer, topic, handOvers)
      if (created + merged > 0) await endHandover(db, handoverId)
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
export interface HandOver extends Pending {
  /** What keeps its order: the alert's `dedup_key`, else its `alert_id`. */
  problem: string
  /** When it happened, as far as that is known. */
  since: number
  headers: Record<string, string>
}

/** In the order of arrival, which keeps the order of a problem; the rows come in that of the unique index. */
function withSources(pending: readonly Pending[], incoming: readonly IncomingMatch[]): HandOver[] {
  const rows = new Map(pending.map(row => [keyOf(row.teamId, row.alertId), row]))
  return incoming.flatMap(({ match: { team_id, alert }, headers }) => {
    const row = rows.get(keyOf(team_id, alert.alert_id))
    if (row === undefined) return []
    return [{ ...row, problem: problemKey(alert), since: Date.parse(alert.event_ts), headers }]
  })
}

const keyOf = (teamId: string, alertId: string) => JSON.stringify([teamId, alertId])

/** Published and acknowledged first, marked afterwards: the other way round a crash would lose the notification. */
export async function handOver(
  db: Parameters<typeof markReady>[0],
  producer: Producer,
  topic: string,
  rows: readonly HandOver[],
): Promise<void> {
  if (rows.length === 0) return
  await producer.send(rows.map(row => readyRecord(row, topic)))
  const now = Date.now()
  for (const { since } of rows) readySeconds.observe(Math.max(0, now - since) / 1_000)
  await markReady(
    db,
    rows.map(row => row.notificationId),
  )
}

export function readyRecord(row: HandOver, topic: string): OutgoingMessage {
  const message: NotificationReady = {
    schema_version: schemaVersion,
    notification_id: row.notificationId,
    team_id: row.teamId,
    alert_id: row.alertId,
  }
  return {
    topic,
    key: `${row.teamId}:${row.problem}`,
    value: JSON.stringify(message),
    headers: { ...row.headers, schema_version: String(schemaVersion) },
  }
}
