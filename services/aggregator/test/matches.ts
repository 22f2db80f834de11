import { randomBytes } from 'node:crypto'
import { type Alert, problemKey } from '@tocsin/contracts/alert'
import type { Match, TeamMatch } from '@tocsin/contracts/messages'
import { topics } from '@tocsin/contracts/topics'
import type { KafkaClient } from '@tocsin/kafka/client'
import { createProducer } from '@tocsin/kafka/producer'
import type { Database } from '@tocsin/postgres/database'
import { matchesOf } from '../src/aggregate.ts'
import type { IncomingMatch } from '../src/merge-matches.ts'
import { upsertNotifications } from '../src/notifications-store.ts'

export function alertOf(alert: Partial<Alert> = {}): Alert {
  return {
    alert_id: `alert-${randomBytes(6).toString('hex')}`,
    severity: 'HIGH',
    source: 'api',
    name: 'timeout',
    context: {},
    event_ts: new Date().toISOString(),
    status: 'firing',
    ...alert,
  }
}

/** One alert matched rules of one team. */
export interface OneMatch extends TeamMatch {
  alert: Alert
}

export function matchOf(alert: Alert, ruleIds: string[], teamId = 'payments'): OneMatch {
  return {
    team_id: teamId,
    alert,
    rules: ruleIds.map(rule_id => ({ rule_id, name: `rule ${rule_id}`, version: 1, endpoint_ids: [`end_${rule_id}`] })),
  }
}

/** As the aggregator reads it. */
export function incomingOf({ alert, ...team }: OneMatch): IncomingMatch {
  const [match] = matchesOf(alert, [team])
  return match!
}

export const upsert = (db: Database, matches: readonly OneMatch[]) => upsertNotifications(db, matches.map(incomingOf))

/** As the evaluator writes it. */
export function recordOf({ alert, ...team }: OneMatch): { key: string; value: string } {
  const match: Match = {
    schema_version: 1,
    alert,
    teams: [team],
    snapshot_version: 7,
    matched_at: new Date().toISOString(),
  }
  return { key: problemKey(alert), value: JSON.stringify(match) }
}

export async function publishMatches(
  kafka: KafkaClient,
  matches: readonly OneMatch[],
  headers: Record<string, string> = {},
): Promise<void> {
  const producer = createProducer(kafka)
  try {
    await producer.send(
      matches.map(match => ({
        topic: kafka.topic(topics.alertsMatched),
        ...recordOf(match),
        headers: { ...headers, schema_version: '1' },
      })),
    )
  } finally {
    await producer.close()
  }
}
