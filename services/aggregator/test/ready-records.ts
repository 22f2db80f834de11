import { randomBytes } from 'node:crypto'
import { decodeMessage } from '@tocsin/contracts/decode'
import { type NotificationReady, notificationReadySchema } from '@tocsin/contracts/messages'
import { topics } from '@tocsin/contracts/topics'
import type { KafkaClient } from '@tocsin/kafka/client'
import { headersText } from '@tocsin/kafka/headers'
import { createKafkaSource } from '@tocsin/kafka/kafkajs-source'
import { onTestFinished } from 'vitest'

export interface ReadyRecord extends NotificationReady {
  key: string
  headers: Map<string, string>
}

/** Everything on notifications.ready, as it comes. */
export function readyRecords(kafka: KafkaClient): ReadyRecord[] {
  const records: ReadyRecord[] = []
  const stop = new AbortController()
  const source = createKafkaSource(kafka, {
    groupId: kafka.group(`reader-${randomBytes(4).toString('hex')}`),
    topics: [kafka.topic(topics.notificationsReady)],
  })
  const ended = source.run(
    {
      async batch(batch) {
        for (const record of batch.records) {
          const message = decodeMessage(notificationReadySchema, record.value)
          records.push({ ...message, key: String(record.key), headers: headersText(record) })
        }
        await batch.commit(batch.records.at(-1)!.offset + 1)
      },
    },
    stop.signal,
  )
  onTestFinished(async () => {
    stop.abort()
    await ended
  })
  return records
}
