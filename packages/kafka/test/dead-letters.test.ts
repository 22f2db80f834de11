import { deadLetterSchema } from '@tocsin/contracts/dead-letter'
import { decodeMessage } from '@tocsin/contracts/decode'
import { topics } from '@tocsin/contracts/topics'
import { AppError } from '@tocsin/runtime/errors'
import { expect } from 'vitest'
import { z } from 'zod'
import type { KafkaClient } from '../src/client.ts'
import { consume, type Stage } from '../src/consume.ts'
import { createDeadLetters } from '../src/dead-letters.ts'
import { createKafkaSource } from '../src/kafkajs-source.ts'
import type { Producer } from '../src/producer.ts'
import { createTopics } from '../src/topics.ts'
import { committedOf, eventually, readAll, test } from './broker.ts'

const schema = z.object({ n: z.number() })

test('a record that nobody can handle goes to the dead letters whole, and its partition goes on', async ({
  client,
  producer,
}) => {
  await createTopics(client)
  const topic = client.topic(topics.alertsNew)
  const handled: number[] = []
  const stage: Stage<z.infer<typeof schema>> = {
    name: 'evaluate',
    decode: record => decodeMessage(schema, record.value),
    async handle(events) {
      if (events.some(event => event.value.n === 2)) throw new AppError('not_two', 'two is not allowed')
      handled.push(...events.map(event => event.value.n))
    },
  }
  const send = (value: string | null) =>
    producer.send([
      { topic, key: 'one partition', value, headers: { traceparent: '00-1', raw: Buffer.from([0xff, 0]) } },
    ])
  const [place] = await send('{"n":1}')
  for (const value of ['no json', '{"n":2}', null, '{"n":3}']) await send(value)

  const stop = new AbortController()
  const groupId = client.group('evaluator')
  const reject = createDeadLetters(producer, {
    topic: client.topic(topics.deadLetters),
    service: 'evaluator',
    stage: stage.name,
  })
  const source = createKafkaSource(client, { groupId, topics: [topic] })
  const running = consume(source, stage, { log: client.log, stopping: stop.signal, reject })
  await eventually(async () => expect((await committedOf(client, groupId, topic)).get(place!.partition)).toBe(5))
  stop.abort()
  await running
  expect(handled).toEqual([1, 3])

  const letters = Array.from((await readAll(client, client.topic(topics.deadLetters))).values(), record =>
    decodeMessage(deadLetterSchema, record.value),
  ).toSorted((a, b) => a.source.offset - b.source.offset)
  expect(letters.map(({ error, value }) => [error.code, value === null ? null : atob(value)])).toEqual([
    ['not_json', 'no json'],
    ['not_two', '{"n":2}'],
    ['not_json', null],
  ])
  expect(letters[1]).toMatchObject({
    service: 'evaluator',
    stage: 'evaluate',
    source: {
      topic,
      partition: place!.partition,
      offset: 2,
      key: btoa('one partition'),
      headers: [
        { name: 'traceparent', value: btoa('00-1') },
        { name: 'raw', value: '/wA=' },
      ],
    },
    value_omitted: false,
    error: { message: 'two is not allowed' },
  })
  expect(letters[1]!.attempts).toBeGreaterThan(1)
  expect(Math.abs(Date.parse(letters[1]!.source.timestamp!) - Date.now())).toBeLessThan(60_000)
})

/** A stage over `alerts.new` that fails on what `isBug` says, with what it takes to run it, several times if need be. */
async function scene(client: KafkaClient, producer: Producer, isBug: (n: number) => boolean) {
  await createTopics(client)
  const topic = client.topic(topics.alertsNew)
  const groupId = client.group('evaluator')
  const handled = new Set<number>()
  const stage: Stage<z.infer<typeof schema>> = {
    name: 'evaluate',
    decode: record => decodeMessage(schema, record.value),
    async handle(events) {
      if (events.some(event => isBug(event.value.n))) throw new TypeError('undefined is not a function')
      for (const { value } of events) handled.add(value.n)
    },
  }
  return {
    handled,
    publish: (...numbers: number[]) =>
      producer.send(numbers.map(n => ({ topic, key: 'one partition', value: `{"n":${n}}` }))),
    committed: async () => [...(await committedOf(client, groupId, topic)).values()],
    letters: async () => (await readAll(client, client.topic(topics.deadLetters))).size,
    start() {
      const stop = new AbortController()
      const reject = createDeadLetters(producer, {
        topic: client.topic(topics.deadLetters),
        service: 'evaluator',
        stage: stage.name,
      })
      const source = createKafkaSource(client, { groupId, topics: [topic] })
      const options = { log: client.log, stopping: stop.signal, reject, bugs: { waitMs: 200 } }
      const running = consume(source, stage, options)
      return {
        running,
        async stop() {
          stop.abort()
          await running
        },
      }
    },
  }
}

const numbers = (count: number, of: (n: number) => number) => Array.from({ length: count }, (_, n) => of(n))

test('a producer that sends nothing but records which no code can handle stops nobody, with no other traffic at all', async ({
  client,
  producer,
}) => {
  const { handled, publish, committed, letters, start } = await scene(client, producer, n => n < 0)
  await publish(...numbers(50, n => -n - 1))
  const first = start()
  await eventually(async () => expect(await committed()).toEqual([50]))
  await publish(1)
  await eventually(async () => expect(await committed()).toEqual([51]))
  await publish(...numbers(300, n => -n - 1))
  await eventually(async () => expect(await committed()).toEqual([351]))
  await first.stop()
  const second = start()
  await publish(...numbers(20, n => -n - 1), 2)
  await eventually(async () => expect(await committed()).toEqual([372]))
  await second.stop()
  expect([...handled]).toEqual([1, 2])
  expect(await letters()).toBe(370)
})

test('a bug that fails everything stops the service, now and after a restart, and nothing goes to the dead letters', async ({
  client,
  producer,
}) => {
  let isBroken = false
  const { handled, publish, committed, letters, start } = await scene(client, producer, () => isBroken)
  await publish(1)
  const first = start()
  await eventually(async () => expect(await committed()).toEqual([1]))
  isBroken = true
  await publish(...numbers(20, n => n + 2))
  await expect(first.running).rejects.toThrow('20 records in a row fail, so the code is wrong')
  await publish(...numbers(80, n => n + 22))
  await expect(start().running).rejects.toThrow('100 records in a row fail, so the code is wrong')
  expect([await committed(), await letters()]).toEqual([[1], 0])
  isBroken = false
  const mended = start()
  await eventually(async () => expect(await committed()).toEqual([101]))
  await mended.stop()
  expect(handled.size).toBe(101)
  expect(await letters()).toBe(0)
})

test('a record of the largest size fits, and one that does not is told without its value', async ({
  client,
  producer,
}) => {
  await createTopics(client)
  const topic = client.topic(topics.deadLetters)
  const reject = createDeadLetters(producer, { topic, service: 's', stage: 'test' })
  const rejection = (offset: number, bytes: number, timestamp: number) => {
    const now = new Date()
    return {
      record: { topic: 'large', partition: 0, offset, timestamp, key: null, value: Buffer.alloc(bytes), headers: [] },
      failure: { error: new Error('a bug'), attempts: 2, firstFailedAt: now, lastFailedAt: now },
    }
  }
  await reject([rejection(0, 1_048_000, 0), rejection(1, 5_000_000, Number.MAX_SAFE_INTEGER), rejection(2, 10, -1)])
  const letters = Array.from((await readAll(client, topic)).values(), record =>
    decodeMessage(deadLetterSchema, record.value),
  )
  const told = (offset: number) => letters.find(letter => letter.source.offset === offset)
  expect(told(0)?.value).toHaveLength(1_397_336)
  expect(told(1)).toMatchObject({ value: null, value_omitted: true, source: { timestamp: null } })
  expect(told(2)).toMatchObject({ value_omitted: false, source: { timestamp: null }, error: { code: 'internal' } })
})
