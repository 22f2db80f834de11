import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Admin } from 'kafkajs'
import { test as base } from 'vitest'
import type { KafkaClient } from '../src/client.ts'
import { createKafkajs } from '../src/kafkajs-client.ts'
import { createKafkaSource } from '../src/kafkajs-source.ts'
import { createProducer, type Producer } from '../src/producer.ts'
import type { KafkaRecord, SourceHandler } from '../src/source.ts'
import { deleteTopics, makeTopics } from '../src/topics.ts'
import { connect } from './connect.ts'

interface Fixtures {
  /** A client with a prefix of the test's own; its topics and groups go when the test ends. */
  client: KafkaClient
  producer: Producer
}

export const test = base.extend<Fixtures>({
  // biome-ignore lint/correctness/noEmptyPattern: vitest reads the fixtures that a fixture needs from here
  client: async ({}, use) => {
    const client = connect(`test-${randomBytes(5).toString('hex')}.`)
    await use(client)
    await deleteTopics(client)
  },
  producer: async ({ client }, use) => {
    const producer = createProducer(client)
    await use(producer)
    await producer.close()
  },
})

/** Makes a topic of the test's own, and gives its full name. */
export async function makeTopic(client: KafkaClient, name: string, partitions = 9): Promise<string> {
  const topic = `${client.topicPrefix}${name}`
  await makeTopics(client, [{ name: topic, partitions }])
  return topic
}

/** The offsets that the group has committed, by partition; only partitions with a commit. */
export async function committedOf(client: KafkaClient, groupId: string, topic: string): Promise<Map<number, number>> {
  const committed = new Map<number, number>()
  await admin(client, async admin => {
    for (const { partitions } of await admin.fetchOffsets({ groupId, topics: [topic] })) {
      for (const { partition, offset } of partitions) if (Number(offset) >= 0) committed.set(partition, Number(offset))
    }
  })
  return committed
}

export async function admin<T>(client: KafkaClient, work: (admin: Admin) => Promise<T>): Promise<T> {
  const { kafkajs, destroy } = createKafkajs(client)
  const admin = kafkajs.admin()
  await admin.connect()
  try {
    return await work(admin)
  } finally {
    await admin.disconnect()
    destroy()
  }
}

/** Looks again until `check` stops throwing. */
export async function eventually<T>(check: () => Promise<T> | T, withinMs = 20_000): Promise<T> {
  for (const deadline = Date.now() + withinMs; ; ) {
    try {
      return await check()
    } catch (error) {
      if (Date.now() > deadline) throw error
      await sleep(25)
    }
  }
}

/** How many records the log of a topic has: more than were sent, when a request was repeated. */
export async function sizeOf(client: KafkaClient, topic: string): Promise<number> {
  const partitions = await admin(client, admin => admin.fetchTopicOffsets(topic))
  return partitions.reduce((sum, { high, low }) => sum + Number(high) - Number(low), 0)
}

/** All records that a topic has now, by partition and offset. */
export async function readAll(client: KafkaClient, topic: string): Promise<Map<string, KafkaRecord>> {
  const count = await sizeOf(client, topic)
  const records = new Map<string, KafkaRecord>()
  const stop = new AbortController()
  const groupId = client.group(`read-all-${randomBytes(4).toString('hex')}`)
  const handler: SourceHandler = {
    async batch(batch) {
      for (const record of batch.records) records.set(`${record.partition}/${record.offset}`, record)
      await batch.commit(batch.records.at(-1)!.offset + 1)
      if (records.size >= count) stop.abort()
    },
  }
  if (count === 0) return records
  await createKafkaSource(client, { groupId, topics: [topic] }).run(handler, stop.signal)
  return records
}
