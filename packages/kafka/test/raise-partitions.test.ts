import { expect } from 'vitest'
import type { KafkaClient } from '../src/client.ts'
import { createKafkaSource } from '../src/kafkajs-source.ts'
import { partitionOf } from '../src/partition-of.ts'
import { createProducer } from '../src/producer.ts'
import type { Batch } from '../src/source.ts'
import { makeTopics } from '../src/topics.ts'
import { admin, committedOf, eventually, makeTopic, test } from './broker.ts'

const keys = Array.from({ length: 30 }, (_, n) => `problem ${n}`)

test('partitions raised while nobody writes and nothing waits: each key stays in order, on its new partition', async ({
  client,
}) => {
  const topic = await makeTopic(client, 'raised', 3)
  const seen = new Map<string, string[]>()
  await write(client, topic, 'firing', 3)
  await readUntil(client, topic, seen, keys.length)

  await admin(client, admin => admin.createPartitions({ topicPartitions: [{ topic, count: 7 }] }))
  // What every start of the system does: it leaves a topic with more partitions alone.
  await makeTopics(client, [{ name: topic, partitions: 3 }])
  await write(client, topic, 'resolved', 7)
  await readUntil(client, topic, seen, 2 * keys.length)
  expect(seen).toEqual(new Map(keys.map(key => [key, ['firing', 'resolved']])))
})

/** With a producer that has just started. */
async function write(client: KafkaClient, topic: string, value: string, partitions: number): Promise<void> {
  const producer = createProducer(client)
  const places = await producer.send(keys.map(key => ({ topic, key, value })))
  await producer.close()
  expect(places.map(({ partition }) => partition)).toEqual(keys.map(key => partitionOf(Buffer.from(key), partitions)))
}

/** A member that has just started, until so many records are committed; then it stops. */
async function readUntil(client: KafkaClient, topic: string, seen: Map<string, string[]>, count: number) {
  const groupId = client.group('g')
  const stop = new AbortController()
  const batch = async ({ records, commit }: Batch) => {
    for (const { key, value } of records) seen.set(String(key), [...(seen.get(String(key)) ?? []), String(value)])
    await commit(records.at(-1)!.offset + 1)
  }
  const reading = createKafkaSource(client, { groupId, topics: [topic] }).run({ batch }, stop.signal)
  await eventually(async () => {
    const committed = await committedOf(client, groupId, topic)
    expect([...committed.values()].reduce((sum, offset) => sum + offset, 0)).toBe(count)
  })
  stop.abort()
  await reading
}
