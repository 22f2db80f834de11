import { styleText } from 'node:util'
import type { Report } from '../report.ts'
import type { StackUrls } from '../supervisor/stack-state.ts'

const subjectWidth = 15

/** Progress for people: what it is about, then what there is to say. Colours only where a terminal shows them. */
export const reportToTerminal: Report = (subject, text) => {
  process.stdout.write(`${styleText('bold', subject.padEnd(subjectWidth), { stream: process.stdout })} ${text}\n`)
}

/** Where everything is, and a line to paste that shows that it works. */
export function printSummary(title: string, urls: StackUrls, adminKey: string): void {
  const lines = [
    ['REST API', urls.rule_service],
    ['alerts', `${urls.alert_producer}/api/v1/alerts`],
    ['mail', urls.mail ?? 'the given server'],
    ['Postgres', urls.database_url],
    ['Kafka', urls.kafka_brokers],
    ['Redis', urls.redis_url],
    ['admin key', adminKey],
  ] as const
  const table = lines.map(([name, value]) => `  ${name.padEnd(subjectWidth - 2)} ${value}\n`).join('')
  const curl = `curl -H 'Authorization: Bearer ${adminKey}' ${urls.rule_service}/api/v1/teams`
  process.stdout.write(`\n${title}\n${table}\nTry:\n  ${curl}\n  ./tocsin demo\n\n`)
}
