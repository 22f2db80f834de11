import type { NotificationReady } from '@tocsin/contracts/messages'
import { topics } from '@tocsin/contracts/topics'
import type { KafkaClient } from '@tocsin/kafka/client'
import { readTopic } from '@tocsin/testkit/topic-reader'
import { onTestFinished } from 'vitest'

export interface ReadyRecord extends NotificationReady {
  key: string | undefined
  headers: Record<string, string>
}

/** Reads notifications.ready while the test runs; what it gives tells what came so far. */
export async function readyRecords(kafka: KafkaClient): Promise<() => ReadyRecord[]> {
  const reader = await readTopic(kafka.topic(topics.notificationsReady))
  onTestFinished(() => reader[Symbol.asyncDispose]())
  return () => reader.records.map(({ value, key, headers }) => ({ ...JSON.parse(value), key, headers }))
}
