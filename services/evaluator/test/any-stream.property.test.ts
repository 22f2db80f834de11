import { deadLetterSchema } from '@tocsin/contracts/dead-letter'
import { matchSchema } from '@tocsin/contracts/messages'
import { partitionsPerTopic, topics } from '@tocsin/contracts/topics'
import { partitionOf } from '@tocsin/kafka/partition-of'
import { createProducer } from '@tocsin/kafka/producer'
import { eventually } from '@tocsin/testkit/eventually'
import { testKafka } from '@tocsin/testkit/test-kafka'
import { readTopic, type TopicReader } from '@tocsin/testkit/topic-reader'
import fc from 'fast-check'
import { expect } from 'vitest'
import { test } from './evaluator-fixture.ts'
import { anyRule } from './rules-in-chunks.ts'

const text = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 }).filter(text => !text.includes('\0'))

/** An alert as any client may write it: what may be missing is missing at times, and what we do not know is there. */
const valid = fc
  .record(
    {
      severity: fc.constantFrom('LOW', 'MEDIUM', 'HIGH', 'CRITICAL'),
      source: fc.constantFrom('api', 'db'),
      name: text,
      context: fc.dictionary(fc.string(), fc.jsonValue()),
      dedup_key: text,
      status: fc.constantFrom('firing', 'resolved'),
      schema_version: fc.constant(1),
      event_ts: fc.constantFrom('2026-03-01T12:00:00Z', '2026-03-01T12:00:00.123+02:00'),
      unknown: fc.jsonValue(),
    },
    { requiredKeys: ['severity', 'source', 'name'] },
  )
  .map(alert => (id: string) => ({ ...alert, alert_id: id }))

const nested = (levels: number) => `${'{"a":'.repeat(levels)}1${'}'.repeat(levels)}`

/** One member of a valid alert is made wrong. */
const spoilt = fc.constantFrom<[string, unknown][]>(
  ['alert_id', undefined],
  ['alert_id', ''],
  ['alert_id', 'nul \0'],
  ['alert_id', 'half \ud83d'],
  ['alert_id', 'x'.repeat(256)],
  ['severity', 'LOUD'],
  ['severity', undefined],
  ['source', 7],
  ['name', null],
  ['context', []],
  ['context', JSON.parse(nested(250))],
  ['dedup_key', ''],
  ['status', 'gone'],
  ['schema_version', 2],
  ['event_ts', 'yesterday'],
)

type Written = { alert: Alert } | { bytes: Buffer | null }
type Alert = Record<string, unknown> & { alert_id: string; severity: string; source: string; dedup_key?: string }

const garbage: fc.Arbitrary<(id: string) => Buffer | null> = fc.oneof(
  fc.uint8Array({ maxLength: 50 }).map(bytes => () => Buffer.from([0xff, ...bytes])),
  fc.constantFrom(null, '', ' ', '[]', '7', '"text"', 'null', '{}', nested(5_000)).map(value => () => asBytes(value)),
  fc.tuple(valid, fc.nat(20)).map(([make, cut]) => {
    return (id: string) => asBytes(JSON.stringify(make(id)).slice(0, -1 - cut))
  }),
  fc.tuple(valid, spoilt).map(([make, [member, value]]) => {
    return (id: string) => asBytes(JSON.stringify({ ...make(id), [member]: value }))
  }),
)
const asBytes = (value: string | null) => (value === null ? null : Buffer.from(value))

const written: fc.Arbitrary<(id: string) => Written> = fc.oneof(
  valid.map(make => (id: string) => ({ alert: make(id) as Alert })),
  garbage.map(make => (id: string) => ({ bytes: make(id) })),
)
/** In several sends, so that batches begin and end anywhere. */
const streams = fc.array(
  fc.array(fc.record({ key: fc.constantFrom('a', 'b', null), make: written }), { maxLength: 8 }),
  {
    minLength: 1,
    maxLength: 4,
  },
)

const teamsOf = ({ severity, source }: Alert) => [
  ...(severity === 'HIGH' ? ['payments'] : []),
  ...(source === 'api' ? ['search'] : []),
]

/** What must be on `alerts.matched` for an alert: the record's key, and with it its partition (P4). */
function matchesOf(alert: Alert): string[] {
  const teams = teamsOf(alert)
  if (teams.length === 0) return []
  const key = alert.dedup_key ?? alert.alert_id
  return [`${alert.alert_id} ${partitionOf(Buffer.from(key), partitionsPerTopic)} ${key} ${teams}`]
}

test('P4, P7: of any stream each valid alert is matched once, on the partition of its problem, and each invalid record is a dead letter', {
  timeout: 240_000,
}, async ({ startEvaluator, publishRules, environment, matched }) => {
  const conditions = { all: [{ fact: 'source', operator: 'equal', value: 'api' }] }
  await publishRules(1, [anyRule('rul_1'), anyRule('rul_2', { team_id: 'search', conditions })])
  await startEvaluator().untilReady()
  const kafka = testKafka(environment.KAFKA_TOPIC_PREFIX!)
  const producer = createProducer(kafka)
  const topic = kafka.topic(topics.alertsNew)
  await using letters = await readTopic(kafka.topic(topics.deadLetters))
  const told = byAlert(matched)
  const refused = byPlace(letters)
  let count = 0
  const expected = { matches: 0, letters: 0 }

  const property = fc.asyncProperty(streams, async stream => {
    const sends = stream.map(records => records.map(({ key, make }) => ({ key, ...make(`a${count++}`) })))
    const alerts: Alert[] = []
    const invalid = new Map<string, Buffer | null>()
    for (const records of sends) {
      const values = records.map(one => ('alert' in one ? JSON.stringify(one.alert) : one.bytes))
      const places = await producer.send(records.map(({ key }, at) => ({ topic, key, value: values[at]! })))
      for (const [at, one] of records.entries()) {
        if ('alert' in one) alerts.push(one.alert)
        else invalid.set(`${places[at]!.partition}/${places[at]!.offset}`, one.bytes)
      }
    }
    const matches = alerts.flatMap(matchesOf)
    expected.matches += matches.length
    expected.letters += invalid.size
    await eventually(
      () => {
        expect(alerts.flatMap(alert => told().get(alert.alert_id) ?? []).toSorted()).toEqual(matches.toSorted())
        for (const [place, bytes] of invalid) expect(refused().get(place)).toEqual([bytes])
      },
      { withinMs: 60_000, everyMs: 5 },
    )
  })
  // Side by side: a run mostly waits for what it wrote to come through.
  await Promise.all(Array.from({ length: 4 }, () => fc.assert(property, { numRuns: 30, endOnFailure: true })))
  // Nothing else came of any of them, and nothing twice.
  expect([matched.records.length, letters.records.length]).toEqual([expected.matches, expected.letters])
  await producer.close()
})

/** Matches by alert, of what the topic holds by now. */
function byAlert(matched: TopicReader): () => Map<string, string[]> {
  return growing(matched, ({ key, value, partition }) => {
    const { alert, teams } = matchSchema.parse(JSON.parse(value))
    return [alert.alert_id, `${alert.alert_id} ${partition} ${key} ${teams.map(team => team.team_id).toSorted()}`]
  })
}

function byPlace(letters: TopicReader): () => Map<string, (Buffer | null)[]> {
  return growing(letters, record => {
    const { source, value } = deadLetterSchema.parse(JSON.parse(record.value))
    return [`${source.partition}/${source.offset}`, value === null ? null : Buffer.from(value, 'base64')]
  })
}

function growing<Value>(
  { records }: TopicReader,
  entryOf: (record: TopicReader['records'][number]) => [string, Value],
): () => Map<string, Value[]> {
  const known = new Map<string, Value[]>()
  let read = 0
  return () => {
    for (; read < records.length; read++) {
      const [name, value] = entryOf(records[read]!)
      known.set(name, [...(known.get(name) ?? []), value])
    }
    return known
  }
}
