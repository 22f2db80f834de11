import { randomBytes } from 'node:crypto'
import type { Alert } from '@tocsin/contracts/alert'
import type { Match } from '@tocsin/contracts/messages'
import { topics } from '@tocsin/contracts/topics'
import type { KafkaClient } from '@tocsin/kafka/client'
import { createProducer } from '@tocsin/kafka/producer'

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

export function matchOf(alert: Alert, ruleIds: string[], teamId = 'payments'): Match {
  return {
    schema_version: 1,
    team_id: teamId,
    alert,
    rules: ruleIds.map(rule_id => ({ rule_id, name: `rule ${rule_id}`, version: 1, endpoint_ids: [`end_${rule_id}`] })),
    snapshot_version: 7,
    matched_at: new Date().toISOString(),
  }
}

export async function publishMatches(
  kafka: KafkaClient,
  matches: readonly Match[],
  headers: Record<string, string> = {},
): Promise<void> {
  const producer = createProducer(kafka)
  try {
    await producer.send(
      matches.map(match => ({
        topic: kafka.topic(topics.alertsMatched),
        key: `${match.team_id}:${match.alert.dedup_key ?? match.alert.alert_id}`,
        value: JSON.stringify(match),
        headers: { ...headers, schema_version: '1' },
      })),
    )
  } finally {
    await producer.close()
  }
}
