import type { KafkaMessage } from 'kafkajs'
import type { UndecodableMessage } from './kafkajs-batches.ts'
import type { KafkaRecord, RecordHeader } from './source.ts'

export function toRecords(topic: string, partition: number, messages: readonly KafkaMessage[]): KafkaRecord[] {
  return messages.map(message => ({
    topic,
    partition,
    offset: Number(message.offset),
    timestamp: Number(message.timestamp),
    key: message.key,
    value: message.value,
    headers: toHeaders(message.headers),
    undecodable: (message as Partial<UndecodableMessage>).undecodable,
  }))
}

/** kafkajs makes an object of them, with an array where a name comes twice. Most records have none. */
function toHeaders(headers: KafkaMessage['headers']): readonly RecordHeader[] {
  if (headers === undefined) return none
  const list: RecordHeader[] = []
  for (const [name, values] of Object.entries(headers)) {
    for (const value of Array.isArray(values) ? values : [values]) {
      list.push({ name, value: typeof value === 'string' ? Buffer.from(value) : (value ?? null) })
    }
  }
  return list
}

const none: readonly RecordHeader[] = []
