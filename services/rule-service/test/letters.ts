import type { DeadLetter } from '@tocsin/contracts/dead-letter'
import { topics } from '@tocsin/contracts/topics'
import type { KafkaClient } from '@tocsin/kafka/client'
import { createKafkaSource } from '@tocsin/kafka/kafkajs-source'
import { createProducer } from '@tocsin/kafka/producer'
import type { Batch, KafkaRecord } from '@tocsin/kafka/source'
import { onTestFinished } from 'vitest'
import { upsertDeadLetters } from '../src/dead-letters-store.ts'
import type { RunningRuleService } from './running-rule-service.ts'

export const base64 = (text: string | Buffer) => Buffer.from(text).toString('base64')

export const failed = (code: string) => ({ error: { code, message: 'x' } })
export const idsOf = (body: { items: { dead_letter_id: string }[] }) => body.items.map(item => item.dead_letter_id)

let offsets = 0

/** As a consumer of ours writes it; of a record of its own unless told. */
export function letter(source: Partial<DeadLetter['source']> = {}, more: Partial<DeadLetter> = {}): DeadLetter {
  return {
    schema_version: 1,
    service: 'evaluator',
    stage: 'evaluate',
    source: {
      topic: 'alerts.new',
      partition: 3,
      offset: offsets++,
      timestamp: '2026-01-02T03:04:05.000Z',
      key: base64('k'),
      headers: [],
      ...source,
    },
    value: base64('{"alert_id":'),
    value_omitted: false,
    error: { code: 'not_json', message: 'unexpected end' },
    attempts: 1,
    first_failed_at: '2026-01-02T03:04:05.000Z',
    last_failed_at: '2026-01-02T03:04:06.000Z',
    ...more,
  }
}

/** Publishes to dead.letters: letters as their JSON, texts as they are. */
export async function publishLetters(kafka: KafkaClient, letters: readonly (DeadLetter | string)[]): Promise<void> {
  const producer = createProducer(kafka)
  const topic = kafka.topic(topics.deadLetters)
  const texts = letters.map(one => (typeof one === 'string' ? one : JSON.stringify(one)))
  await producer.send(texts.map(value => ({ topic, key: 'one partition', value })))
  await producer.close()
}

/** What comes into a topic, byte by byte; from its beginning. */
export function recordsOf(kafka: KafkaClient, topic: string): KafkaRecord[] {
  const records: KafkaRecord[] = []
  const stop = new AbortController()
  const source = createKafkaSource(kafka, { groupId: kafka.group(`reader-${topic}`), topics: [topic] })
  const read = async ({ records: batch, commit }: Batch) => {
    records.push(...batch)
    await commit(batch.at(-1)!.offset + 1)
  }
  const reading = source.run({ batch: read }, stop.signal)
  onTestFinished(async () => {
    stop.abort()
    await reading
  })
  return records
}

/** One after the other, so that their ids have their order. Gives the ids. */
export async function addLetters(
  { call, database }: RunningRuleService,
  letters: readonly DeadLetter[],
): Promise<string[]> {
  const ids: string[] = []
  for (const one of letters) {
    await upsertDeadLetters(database, [one])
    await new Promise(resolve => setTimeout(resolve, 2)) // ids have the time in milliseconds
    ids.push(idsOf((await call('GET', '/api/v1/dead-letters?limit=1')).body)[0]!)
  }
  return ids
}
