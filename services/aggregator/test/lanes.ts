import { topics } from '@tocsin/contracts/topics'
import type { KafkaClient } from '@tocsin/kafka/client'
import type { Producer } from '@tocsin/kafka/producer'
import { makeTopics } from '@tocsin/kafka/topics'
import { type OneMatch, recordOf } from './matches.ts'

const partitionsPerLane = 4

/**
 * Topics of matches beside each other, each for a group of its own: a run mostly waits for a group to join, and those of
 * different lanes wait side by side. Gives their full names.
 */
export async function makeLanes(kafka: KafkaClient, count: number): Promise<string[]> {
  const names = Array.from({ length: count }, (_, lane) => `${kafka.topic(topics.alertsMatched)}.${lane}`)
  await makeTopics(
    kafka,
    names.map(name => ({ name, partitions: partitionsPerLane })),
  )
  return names
}

/** As the evaluator does, in so many sends one after the other. */
export async function sendMatches(
  producer: Producer,
  topic: string,
  matches: readonly OneMatch[],
  sends = 1,
  between: (send: number) => Promise<void> = async () => {},
): Promise<void> {
  const perSend = Math.ceil(matches.length / sends)
  for (let send = 0; send < sends; send++) {
    const some = matches.slice(send * perSend, (send + 1) * perSend)
    await producer.send(some.map(match => ({ topic, ...recordOf(match) })))
    await between(send)
  }
}
