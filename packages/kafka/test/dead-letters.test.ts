import { deadLetterSchema } from '@tocsin/contracts/dead-letter'
import { decodeMessage } from '@tocsin/contracts/decode'
import { topics } from '@tocsin/contracts/topics'
import { AppError } from '@tocsin/runtime/errors'
import { expect } from 'vitest'
import { z } from 'zod'
import { consume, type Stage } from '../src/consume.ts'
import { createDeadLetters } from '../src/dead-letters.ts'
import { createKafkaSource } from '../src/kafkajs-source.ts'
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

test('bugs among good records block no partition, however often the service is started again', async ({
  client,
  producer,
}) => {
  await createTopics(client)
  const topic = client.topic(topics.alertsNew)
  const groupId = client.group('evaluator')
  const publish = (...numbers: number[]) =>
    producer.send(numbers.map(n => ({ topic, key: 'one partition', value: `{"n":${n}}` })))
  const handled = new Set<number>()
  const stage: Stage<z.infer<typeof schema>> = {
    name: 'evaluate',
    decode: record => decodeMessage(schema, record.value),
    async handle(events) {
      if (events.some(event => event.value.n < 0)) throw new TypeError('undefined is not a function')
      for (const { value } of events) handled.add(value.n)
    },
  }
  const run = (stopping: AbortSignal) => {
    const reject = createDeadLetters(producer, {
      topic: client.topic(topics.deadLetters),
      service: 'evaluator',
      stage: stage.name,
    })
    const source = createKafkaSource(client, { groupId, topics: [topic] })
    return consume(source, stage, { log: client.log, stopping, reject, bugsWaitMs: 200 })
  }

  const [{ partition } = { partition: -1 }] = await publish(1, -1, -2, -3, -4, -5)
  const committed = async () => (await committedOf(client, groupId, topic)).get(partition)
  const first = new AbortController()
  const firstRun = run(first.signal)
  await eventually(async () => expect(await committed()).toBe(6))
  first.abort()
  await firstRun

  await publish(-6, -7, -8, -9, -10)
  for (let start = 0; start < 2; start++) {
    await expect(run(new AbortController().signal)).rejects.toThrow('the code is wrong')
  }
  expect(await committed()).toBe(6)
  await publish(2)
  const last = new AbortController()
  const lastRun = run(last.signal)
  await eventually(async () => expect(await committed()).toBe(12))
  last.abort()
  await lastRun
  expect([...handled]).toEqual([1, 2])
  expect((await readAll(client, client.topic(topics.deadLetters))).size).toBe(10)
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
