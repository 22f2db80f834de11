import { expect } from 'vitest'
import type { KafkaClient } from '../src/client.ts'
import { createKafkaSource } from '../src/kafkajs-source.ts'
import { partitionOf } from '../src/partition-of.ts'
import { createProducer } from '../src/producer.ts'
import type { Batch } from '../src/source.ts'
import { makeTopics } from '../src/topics.ts'
import { admin, committedOf, eventually, makeTopic, sizeOf, test } from './broker.ts'

const keys = Array.from({ length: 30 }, (_, n) => `problem ${n}`)

test('partitions raised while nobody writes and nothing waits: each key stays in order, on its new partition', async ({
  client,
}) => {
  const topic = await makeTopic(client, 'raised', 3)
  const seen = new Map<string, string[]>()
  await write(client, topic, 'firing', 3)
  await readAllThatWaits(client, topic, seen)

  await admin(client, async admin => {
    await admin.createPartitions({ topicPartitions: [{ topic, count: 7 }] })
    // Done is not told: for some 100 ms the broker goes on giving the old number, and a new producer would keep it.
    await eventually(async () => expect(await admin.fetchTopicOffsets(topic)).toHaveLength(7))
  })
  // What every start of the system does: it leaves a topic with more partitions alone.
  await makeTopics(client, [{ name: topic, partitions: 3 }])
  await write(client, topic, 'resolved', 7)
  await readAllThatWaits(client, topic, seen)
  expect(seen).toEqual(new Map(keys.map(key => [key, ['firing', 'resolved']])))
})

/** With a producer that has just started. */
async function write(client: KafkaClient, topic: string, value: string, partitions: number): Promise<void> {
  const producer = createProducer(client)
  const places = await producer.send(keys.map(key => ({ topic, key, value })))
  await producer.close()
  expect(places.map(({ partition }) => partition)).toEqual(keys.map(key => partitionOf(Buffer.from(key), partitions)))
}

/** A member that has just started, until nothing is left to read; then it stops. */
async function readAllThatWaits(client: KafkaClient, topic: string, seen: Map<string, string[]>): Promise<void> {
  const groupId = client.group('g')
  const stop = new AbortController()
  const batch = async ({ records, commit }: Batch) => {
    for (const { key, value } of records) {
      const ofKey = seen.get(String(key)) ?? []
      // The producer repeats a request that a broker refused in part: one that does not lead a new partition yet.
      if (!ofKey.includes(String(value))) seen.set(String(key), [...ofKey, String(value)])
    }
    await commit(records.at(-1)!.offset + 1)
  }
  const reading = createKafkaSource(client, { groupId, topics: [topic] }).run({ batch }, stop.signal)
  const size = await sizeOf(client, topic)
  await eventually(async () => {
    const committed = await committedOf(client, groupId, topic)
    expect([...committed.values()].reduce((sum, offset) => sum + offset, 0)).toBe(size)
  })
  stop.abort()
  await reading
}
