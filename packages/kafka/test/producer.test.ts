import { setTimeout as sleep } from 'node:timers/promises'
import { AppError } from '@tocsin/runtime/errors'
import { describe, expect } from 'vitest'
import { MessagesRefused } from '../src/kafka-errors.ts'
import { createProducer, type SentMessage } from '../src/producer.ts'
import { makeTopic, readAll, test } from './broker.ts'
import { connect } from './connect.ts'
import { cutter } from './cut.ts'

describe('producer', () => {
  test('tells the place of every message, for many callers at once, with and without keys', async ({
    client,
    producer,
  }) => {
    const topics = [await makeTopic(client, 'one'), await makeTopic(client, 'two', 3)]
    const places = new Map<string, string>()
    await Promise.all(
      Array.from({ length: 60 }, async (_, caller) => {
        for (let round = 0; round < 5; round++) {
          const messages = Array.from({ length: 1 + ((caller * 7 + round) % 30) }, (_, n) => ({
            topic: topics[(caller + n) % 2]!,
            key: n % 3 === 0 ? null : `key ${n}`,
            value: `${caller}/${round}/${n}`,
            headers: { caller: String(caller) },
          }))
          const sent = await producer.send(messages)
          for (const [n, place] of sent.entries()) places.set(placeOf(place), messages[n]!.value)
        }
      }),
    )
    for (const topic of topics) {
      const ofTopic = [...places].filter(([place]) => place.startsWith(`${topic}/`))
      const records = await readAll(client, topic)
      for (const [place, value] of ofTopic) {
        expect(records.get(place.slice(topic.length + 1))?.value?.toString()).toBe(value)
      }
    }
  })

  test('splits what is more than a broker takes at once, and keeps the order per key', async ({ client, producer }) => {
    const topic = await makeTopic(client, 'large')
    const values = Array.from({ length: 300 }, (_, n) => `${n} ${'x'.repeat(20_000)}`)
    const first = producer.send(values.map(value => ({ topic, key: 'same', value })))
    const second = producer.send([{ topic, key: 'same', value: 'last' }])
    const offsets = [...(await first), ...(await second)].map(({ offset }) => offset)
    expect(offsets).toEqual(Array.from({ length: 301 }, (_, offset) => offset))
    const records = await readAll(client, topic)
    expect(Array.from(records.values(), ({ value }) => value?.toString())).toEqual([...values, 'last'])
  })

  test('refuses a record that is too large to its own caller only', async ({ client, producer }) => {
    const topic = await makeTopic(client, 'sizes')
    const outcomes = await Promise.allSettled(
      Array.from({ length: 9 }, (_, n) =>
        producer.send([{ topic, key: 'same', value: n === 4 ? Buffer.alloc(3_000_000, 'x') : `small ${n}` }]),
      ),
    )
    expect(outcomes.map(({ status }) => status === 'fulfilled')).toEqual([1, 1, 1, 1, 0, 1, 1, 1, 1].map(Boolean))
    const { reason } = outcomes[4] as PromiseRejectedResult
    expect(reason).toBeInstanceOf(AppError)
    expect(reason).toMatchObject({ code: 'kafka_record_too_large', retryable: false })
    const values = Array.from((await readAll(client, topic)).values(), ({ value }) => value?.toString())
    expect(new Set(values)).toEqual(new Set([0, 1, 2, 3, 5, 6, 7, 8].map(n => `small ${n}`)))
  })

  test('writes everything of a send but what is refused, in order, and says which that was', async ({
    client,
    producer,
  }) => {
    const topic = await makeTopic(client, 'partly')
    const huge = new Set([0, 4, 8])
    const value = (n: number) => (huge.has(n) ? Buffer.alloc(3_000_000, 'x') : `small ${n}`)
    const messages = Array.from({ length: 9 }, (_, n) => ({ topic, key: 'same', value: value(n) }))
    const reason = await producer.send(messages).catch(error => error)
    expect(reason).toBeInstanceOf(MessagesRefused)
    expect(reason).toMatchObject({ code: 'kafka_record_too_large', retryable: false })
    expect(reason.refused.map(({ index }: { index: number }) => index).toSorted()).toEqual([0, 4, 8])
    const values = Array.from((await readAll(client, topic)).values(), record => record.value?.toString())
    expect([...new Set(values)]).toEqual([1, 2, 3, 5, 6, 7].map(n => `small ${n}`))
  })

  test('says that a topic is missing, without holding up the others', async ({ client, producer }) => {
    const topic = await makeTopic(client, 'there')
    const [missing, there] = await Promise.allSettled([
      producer.send([{ topic: `${client.topicPrefix}nowhere`, key: null, value: 'a' }]),
      producer.send([{ topic, key: null, value: 'b' }]),
    ])
    expect(there.status).toBe('fulfilled')
    expect((missing as PromiseRejectedResult).reason).toMatchObject({ code: 'kafka_topic_missing', retryable: true })
  })

  test('rejects retryably at its deadline while no broker answers', async ({ client }) => {
    const producer = createProducer(connect(client.topicPrefix, '127.0.0.1:1'), { deadlineMs: 800 })
    const began = Date.now()
    const sends = [1, 2, 3].map(n => producer.send([{ topic: 't', key: null, value: String(n) }]))
    for (const outcome of await Promise.allSettled(sends)) {
      expect((outcome as PromiseRejectedResult).reason).toMatchObject({ code: 'kafka_unavailable', retryable: true })
    }
    expect(Date.now() - began).toBeLessThan(2_000)
    await producer.close()
    await expect(producer.send([{ topic: 't', key: null, value: 'late' }])).rejects.toMatchObject({
      code: 'kafka_unavailable',
    })
  })

  test('acknowledges nothing that the log does not have, however often connections break', async ({
    client,
    producer,
  }) => {
    using connections = cutter()
    const topic = await makeTopic(client, 'cut')
    const acknowledged: [SentMessage, string][] = []
    let running = true
    const cutting = (async () => {
      for (let n = 0; n < 12; n++) {
        await sleep(30 + 17 * n)
        connections.cut()
      }
      running = false
    })()
    await Promise.all(
      Array.from({ length: 20 }, async (_, caller) => {
        for (let n = 0; running; n++) {
          const values = [`${caller}/${n}/a`, `${caller}/${n}/b`]
          const sent = await producer.send(values.map(value => ({ topic, key: `k${caller}`, value })))
          acknowledged.push([sent[0]!, values[0]!], [sent[1]!, values[1]!])
        }
      }),
    )
    await cutting
    const records = await readAll(client, topic)
    for (const [place, value] of acknowledged) {
      expect(records.get(`${place.partition}/${place.offset}`)?.value?.toString()).toBe(value)
    }
    for (let caller = 0; caller < 20; caller++) {
      const order = acknowledged.filter(([, value]) => value.startsWith(`${caller}/`)).map(([{ offset }]) => offset)
      expect(order).toEqual(order.toSorted((a, b) => a - b))
    }
  })

  test('publishes at the time and with the headers that it is given', async ({ client, producer }) => {
    const topic = await makeTopic(client, 'meta')
    const timestamp = Date.now() - 60_000
    await producer.send([
      { topic, key: null, value: null, headers: { traceparent: '00-1', raw: Buffer.from([0xff]) }, timestamp },
    ])
    const [record] = (await readAll(client, topic)).values()
    expect(record).toMatchObject({ timestamp, key: null, value: null })
    expect(record?.headers).toEqual([
      { name: 'traceparent', value: Buffer.from('00-1') },
      { name: 'raw', value: Buffer.from([0xff]) },
    ])
  })
})

function placeOf({ topic, partition, offset }: SentMessage): string {
  return `${topic}/${partition}/${offset}`
}
