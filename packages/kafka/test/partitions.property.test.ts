import fc from 'fast-check'
import type { Producer as Kafkajs } from 'kafkajs'
import { expect } from 'vitest'
import type { KafkaClient } from '../src/client.ts'
import { createKafkajs } from '../src/kafkajs-client.ts'
import { partitionOf } from '../src/partition-of.ts'
import { createProducer, type Producer } from '../src/producer.ts'
import { makeTopic, test } from './broker.ts'

const partitions = 9

/** Text of every kind that JSON can hold: any script, U+0000, half surrogate pairs; also none. */
const keys = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 30 }),
  fc.array(fc.integer({ max: 0xffff, min: 0 }), { maxLength: 12 }).map(units => String.fromCharCode(...units)),
  fc.tuple(fc.string(), fc.string()).map(([team, problem]) => `${team}:${problem}`),
)

/** Who sends a record with which of the run's keys where. Keys come again and again. */
const sends = fc.array(
  fc.record({ key: fc.nat(2), by: fc.constantFrom('ours', 'another of ours', 'a stranger'), topic: fc.nat(1) }),
  { minLength: 4, maxLength: 14 },
)

test('P4: records with the same key are on the same partition, whichever producer or client wrote them', {
  timeout: 120_000,
}, async ({ client, producer }) => {
  const topics = [await makeTopic(client, 'first', partitions), await makeTopic(client, 'second', partitions)]
  const another = createProducer(client)
  await using stranger = await strangerTo(client)
  const senders = { ours: by(producer), 'another of ours': by(another), 'a stranger': stranger.send }
  const property = fc.asyncProperty(fc.tuple(keys, keys, keys), sends, async (named, plan) => {
    const places = await Promise.all(
      plan.map(async one => [named[one.key]!, await senders[one.by](topics[one.topic]!, named[one.key]!)] as const),
    )
    for (const [key, partition] of places) expect([key, partition]).toEqual([key, partitionOf(Buffer.from(key), 9)])
  })
  await fc.assert(property, { numRuns: 100 })
  await another.close()
})

type Send = (topic: string, key: string) => Promise<number>

function by(producer: Producer): Send {
  return async (topic, key) => (await producer.send([{ topic, key, value: 'v' }]))[0]!.partition
}

/** Another program: the library's own producer, with the partitioner that it brings. */
async function strangerTo(client: KafkaClient): Promise<{ send: Send } & AsyncDisposable> {
  const { kafkajs, destroy } = createKafkajs(client)
  const producer: Kafkajs = kafkajs.producer()
  await producer.connect()
  return {
    send: async (topic, key) => (await producer.send({ topic, messages: [{ key, value: 'v' }] }))[0]!.partition,
    async [Symbol.asyncDispose]() {
      await producer.disconnect()
      destroy()
    },
  }
}
