import { type DeadLetter, deadLetterSchema } from '@tocsin/contracts/dead-letter'
import { decodeMessage } from '@tocsin/contracts/decode'
import { topics } from '@tocsin/contracts/topics'
import { consume, type Event, type Stage } from '@tocsin/kafka/consume'
import { createDeadLetters } from '@tocsin/kafka/dead-letters'
import { createKafkaSource } from '@tocsin/kafka/kafkajs-source'
import { createProducer, type SentMessage } from '@tocsin/kafka/producer'
import { AppError } from '@tocsin/runtime/errors'
import { eventually } from '@tocsin/testkit/eventually'
import { testKafka } from '@tocsin/testkit/test-kafka'
import { readTopic } from '@tocsin/testkit/topic-reader'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { startRuleService } from './running-rule-service.ts'

/** How a record fails: never, because its bytes are nothing, for ever, or by a mistake in the code. */
type Fate = 'good' | 'garbage' | 'refused' | 'bug'
interface Planned {
  fate: Fate
  /** So many calls fail in a way that a repeat helps against, before its fate shows. */
  flaky: number
  garbage: Uint8Array
  header: Uint8Array
}

const planned: fc.Arbitrary<Planned> = fc.record({
  fate: fc.constantFrom<Fate[]>('good', 'garbage', 'refused', 'bug'),
  flaky: fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.integer({ min: 1, max: 3 }) }),
  garbage: fc.uint8Array({ maxLength: 40 }),
  header: fc.uint8Array({ maxLength: 10 }),
})
/** Records of one key, so of one partition, in order. */
const runs = fc.record({ key: fc.string({ unit: 'grapheme' }), records: fc.array(planned, { maxLength: 8 }) })

const schema = z.object({ id: z.string(), fate: z.string(), flaky: z.number() })
type Value = z.infer<typeof schema>

const codeOf = { garbage: 'not_json', refused: 'refused_by_test', bug: 'internal' } as const

/** Handles what is good; keeps what it has handled. */
function failingStage(handled: string[]): Stage<Value> {
  const failedCalls = new Map<string, number>()
  const handle = ({ value: { id, fate, flaky } }: Event<Value>) => {
    const failed = failedCalls.get(id) ?? 0
    failedCalls.set(id, failed + 1)
    if (failed < flaky) throw new AppError('away', 'not now', { retryable: true })
    if (fate === 'refused') throw new AppError('refused_by_test', 'never')
    if (fate === 'bug') throw new TypeError('undefined is not a function')
  }
  return {
    name: 'property',
    decode: record => decodeMessage(schema, record.value),
    async handle(events) {
      for (const event of events) handle(event)
      handled.push(...events.map(event => event.value.id))
    },
  }
}

test('P5: what fails for good is one dead letter, whole, in the topic and in Postgres, and its partition goes on', {
  timeout: 240_000,
}, async () => {
  await using running = await startRuleService()
  const kafka = testKafka(running.environment.KAFKA_TOPIC_PREFIX!)
  const producer = createProducer(kafka)
  const topic = kafka.topic(topics.alertsNew)
  const deadLetters = kafka.topic(topics.deadLetters)
  const handled: string[] = []
  const stop = new AbortController()
  const source = createKafkaSource(kafka, { groupId: kafka.group('property'), topics: [topic] })
  const consuming = consume(source, failingStage(handled), {
    log: kafka.log,
    stopping: stop.signal,
    reject: createDeadLetters(producer, { topic: deadLetters, service: 'test', stage: 'property' }),
    backoff: { baseMs: 1, capMs: 5 },
  })
  await using reader = await readTopic(deadLetters)
  const read: DeadLetter[] = []
  const letters = () => {
    for (const { value } of reader.records.slice(read.length)) {
      read.push(decodeMessage(deadLetterSchema, Buffer.from(value)))
    }
    return read
  }
  let runsSoFar = 0
  let failedSoFar = 0

  const property = fc.asyncProperty(runs, async ({ key, records }) => {
    const run = runsSoFar++
    const all = [...records, last].map((one, n) => ({ ...one, id: `${run}/${n}` }))
    const messages = all.map(one => ({ topic, key, value: bytesOf(one), headers: { raw: Buffer.from(one.header) } }))
    const places = await producer.send(messages)
    const failing = all.flatMap((one, n) => (one.fate === 'good' ? [] : [{ ...one, place: places[n]!, key }]))
    failedSoFar += failing.length

    await eventually(() => expect(handled).toContain(all.at(-1)!.id), quickly)
    const good = all.filter(one => one.fate === 'good').map(one => one.id)
    expect(handled.filter(id => id.startsWith(`${run}/`))).toEqual(good)
    const told = await eventually(() => lettersOf(letters(), failing), quickly)
    for (const [at, letter] of told.entries()) expectToTell(letter, failing[at]!)
    const rows = await eventually(() => rowsOf(running.database, failing), quickly)
    expect(rows).toEqual(told.map(rowFor))
  })
  // Side by side: a run mostly waits for what it wrote to come through.
  await Promise.all(Array.from({ length: 5 }, () => fc.assert(property, { numRuns: 24, endOnFailure: true })))
  expect(letters()).toHaveLength(failedSoFar)
  stop.abort()
  await consuming
  await producer.close()
})

const quickly = { withinMs: 60_000, everyMs: 5 }
const last: Planned = { fate: 'good', flaky: 0, garbage: new Uint8Array(), header: new Uint8Array() }

interface Failing extends Planned {
  place: SentMessage
  key: string
  id: string
}

/** A byte that no UTF-8 text has makes sure that what looks like garbage is. */
function bytesOf({ id, fate, flaky, garbage }: Planned & { id: string }): Buffer {
  if (fate === 'garbage') return Buffer.from([0xff, ...garbage])
  return Buffer.from(JSON.stringify({ id, fate, flaky }))
}

/** One for each, in this order; they are of one partition. */
function lettersOf(letters: readonly DeadLetter[], failing: readonly Failing[]): DeadLetter[] {
  const offsets = new Set(failing.map(({ place }) => place.offset))
  const found = letters.filter(({ source }) => source.partition === failing[0]?.place.partition)
  const ofThese = found.filter(({ source }) => offsets.has(source.offset))
  expect(ofThese).toHaveLength(failing.length)
  return ofThese.toSorted((a, b) => a.source.offset - b.source.offset)
}

function expectToTell(letter: DeadLetter, { place, key, fate, flaky, header, ...one }: Failing): void {
  const base64 = (bytes: Uint8Array | string) => Buffer.from(bytes as Uint8Array).toString('base64')
  expect(letter).toMatchObject({
    service: 'test',
    stage: 'property',
    source: { ...place, key: base64(key), headers: [{ name: 'raw', value: base64(header) }] },
    value: base64(bytesOf({ ...one, fate, flaky, header })),
    value_omitted: false,
    error: { code: codeOf[fate as keyof typeof codeOf] },
  })
  // Bytes are looked at once. A mistake may be one of the moment: it has a second chance alone.
  const atLeast = { garbage: 1, refused: 1 + flaky, bug: 2 + flaky }[fate as keyof typeof codeOf]
  expect(letter.attempts).toBeGreaterThanOrEqual(atLeast)
  if (fate === 'garbage') expect(letter.attempts).toBe(1)
  expect(Date.parse(letter.first_failed_at)).toBeLessThanOrEqual(Date.parse(letter.last_failed_at))
}

type Database = Awaited<ReturnType<typeof startRuleService>>['database']

async function rowsOf(database: Database, failing: readonly Failing[]): Promise<object[]> {
  const { rows } = await database.query(
    `SELECT service, stage, source_topic, source_partition, source_offset, key, value, headers, error_code, message,
       attempts, first_failed_at, last_failed_at, state
     FROM dead_letters WHERE source_partition = $1 AND source_offset = ANY($2) ORDER BY source_offset`,
    [failing[0]?.place.partition, failing.map(({ place }) => place.offset)],
  )
  expect(rows).toHaveLength(failing.length)
  return rows
}

function rowFor({ service, stage, source, value, error, attempts, ...letter }: DeadLetter): object {
  return {
    service,
    stage,
    source_topic: source.topic,
    source_partition: source.partition,
    source_offset: source.offset,
    key: Buffer.from(source.key!, 'base64'),
    value: Buffer.from(value!, 'base64'),
    headers: source.headers,
    error_code: error.code,
    message: error.message,
    attempts,
    first_failed_at: new Date(letter.first_failed_at),
    last_failed_at: new Date(letter.last_failed_at),
    state: 'waiting',
  }
}
