import { topics } from '@tocsin/contracts/topics'
import type { KafkaClient } from '@tocsin/kafka/client'
import { createProducer } from '@tocsin/kafka/producer'
import type { KafkaRecord } from '@tocsin/kafka/source'
import { AppError } from '@tocsin/runtime/errors'
import { createLogger } from '@tocsin/runtime/logger'
import { eventually } from '@tocsin/testkit/eventually'
import { testKafka } from '@tocsin/testkit/test-kafka'
import { expect, onTestFinished } from 'vitest'
import { createAggregate } from '../src/aggregate.ts'
import { endHandovers } from '../src/handovers-store.ts'
import { createSweep } from '../src/sweep.ts'
import { test } from './aggregator-test.ts'
import { alertOf, incomingOf, matchOf, type OneMatch, publishMatches, upsert } from './matches.ts'
import { type ReadyRecord, readyRecords } from './ready-records.ts'

interface Row {
  notification_id: string
  alert_id: string
  status: string
  rules: { rule_id: string }[]
  alert: unknown
  updated_at: Date
}

const eventOf = (match: OneMatch) => ({ value: [incomingOf(match)], record: {} as KafkaRecord })

/** As the API shows them: those whose batch is not handed over are pending. */
const allRows = `SELECT n.*, CASE WHEN h.handover_id IS NULL THEN status ELSE 'pending' END AS status
  FROM notifications n LEFT JOIN handovers h USING (handover_id) ORDER BY created_at, notification_id`

/** Publishes one more match of the same problem and waits for it: order holds, so what came before has come by then. */
async function alertIdsUntilNow(kafka: KafkaClient, ready: () => ReadyRecord[]): Promise<string[]> {
  const last = alertOf({ alert_id: 'the last one', dedup_key: 'db-1' })
  await publishMatches(kafka, [matchOf(last, ['r1'])])
  await eventually(() => expect(ready().at(-1)?.alert_id).toBe(last.alert_id))
  return ready()
    .map(record => record.alert_id)
    .slice(0, -1)
}

test('a match that comes twice is one notification and one ready record', async ({
  database,
  environment,
  startAggregator,
}) => {
  const kafka = testKafka(environment.KAFKA_TOPIC_PREFIX!)
  const ready = await readyRecords(kafka)
  await startAggregator()
  const match = matchOf(alertOf({ dedup_key: 'db-1', context: { host: 'h1' } }), ['r1'])
  await publishMatches(kafka, [match, match], { traceparent: '00-aa-bb-01', origin: 'test' })
  await publishMatches(kafka, [match])
  expect(await alertIdsUntilNow(kafka, ready)).toEqual([match.alert.alert_id])

  const { rows } = await database.query<Row>(allRows)
  expect(rows).toHaveLength(2)
  expect(rows[0]).toMatchObject({ alert_id: match.alert.alert_id, alert: match.alert })
  expect(ready()[0]).toMatchObject({
    key: 'payments:db-1',
    notification_id: rows[0]?.notification_id,
    team_id: 'payments',
    alert_id: rows[0]?.alert_id,
  })
  expect(ready()[0]!.headers).toEqual({
    schema_version: '1',
    traceparent: '00-aa-bb-01',
    origin: 'test',
  })
})

test('rules that match the same alert later are merged into the row and send nothing again', async ({
  database,
  environment,
  startAggregator,
}) => {
  const kafka = testKafka(environment.KAFKA_TOPIC_PREFIX!)
  const ready = await readyRecords(kafka)
  await startAggregator()
  const alert = alertOf({ dedup_key: 'db-1' })
  await publishMatches(kafka, [matchOf(alert, ['r1', 'r2'])])
  await eventually(async () => expect((await database.query<Row>(allRows)).rows).toMatchObject([{ status: 'ready' }]))
  await publishMatches(kafka, [matchOf(alert, ['r2', 'r3'])])
  await eventually(async () => {
    const { rows } = await database.query<Row>(allRows)
    expect(rows[0]?.rules.map(rule => rule.rule_id)).toEqual(['r1', 'r2', 'r3'])
  })
  expect((await database.query<Row>(allRows)).rows).toMatchObject([{ status: 'ready' }])
  expect(await alertIdsUntilNow(kafka, ready)).toEqual([alert.alert_id])
})

test('a match in several records is one notification with all its rules, handed over when they are there', async ({
  database,
  environment,
  startAggregator,
}) => {
  const kafka = testKafka(environment.KAFKA_TOPIC_PREFIX!)
  const ready = await readyRecords(kafka)
  await startAggregator()
  const [together, apart] = [alertOf({ dedup_key: 'db-1' }), alertOf({ dedup_key: 'db-1' })]
  const part = (alert: typeof apart, rules: string[]) => ({ ...matchOf(alert, rules), more_rules: true as const })
  const rulesOf = async (alertId: string) =>
    (await database.query<Row>(allRows)).rows
      .filter(row => row.alert_id === alertId)
      .map(row => [row.status, ...row.rules.map(rule => rule.rule_id)])

  await publishMatches(kafka, [part(together, ['r1']), part(together, ['r2']), matchOf(together, ['r3'])])
  await publishMatches(kafka, [part(apart, ['r1']), part(apart, ['r2'])])
  await eventually(async () => expect(await rulesOf(apart.alert_id)).toEqual([['pending', 'r1', 'r2']]))
  await publishMatches(kafka, [matchOf(apart, ['r3'])])
  expect(await alertIdsUntilNow(kafka, ready)).toEqual([together.alert_id, apart.alert_id])
  for (const alert of [together, apart]) {
    await eventually(async () => expect(await rulesOf(alert.alert_id)).toEqual([['ready', 'r1', 'r2', 'r3']]))
  }
})

test('what happened to one problem is handed over in the order in which it came, whatever the ids are', async ({
  environment,
  startAggregator,
}) => {
  const kafka = testKafka(environment.KAFKA_TOPIC_PREFIX!)
  const ready = await readyRecords(kafka)
  const ids = ['z', 'a', 'm', 'b', 'y']
  await publishMatches(
    kafka,
    ids.map(alert_id => matchOf(alertOf({ alert_id, dedup_key: 'db-1' }), ['r1'])),
  )
  await startAggregator()
  expect(await alertIdsUntilNow(kafka, ready)).toEqual(ids)
})

test('the same alert concerns two teams: each has a notification of its own', async ({
  environment,
  startAggregator,
}) => {
  const kafka = testKafka(environment.KAFKA_TOPIC_PREFIX!)
  const ready = await readyRecords(kafka)
  await startAggregator()
  const alert = alertOf()
  await publishMatches(kafka, [matchOf(alert, ['r1'], 'payments'), matchOf(alert, ['r2'], 'search')])
  await eventually(() =>
    expect(
      ready()
        .map(record => record.team_id)
        .toSorted(),
    ).toEqual(['payments', 'search']),
  )
})

test('a match that says nothing new does not write to its row', async ({ database }) => {
  const match = matchOf(alertOf(), ['r1', 'r2'])
  const version = async () =>
    (await database.query<{ xmin: string; updated_at: Date }>('SELECT xmin, updated_at FROM notifications')).rows
  const { created, handoverIds } = await upsert(database, [match])
  expect(created).toBe(1)
  await endHandovers(database, handoverIds)
  const before = await version()
  const later = { ...match, rules: match.rules.map(rule => ({ ...rule, version: 2, name: 'renamed' })) }
  expect(await upsert(database, [match])).toMatchObject({ created: 0, merged: 0 })
  expect(await upsert(database, [later])).toMatchObject({ created: 0, merged: 0 })
  expect(await version()).toEqual(before)
})

test('a crash after the row and before the record: the match read again hands it over, once', async ({
  database,
  environment,
  startAggregator,
}) => {
  const kafka = testKafka(environment.KAFKA_TOPIC_PREFIX!)
  const ready = await readyRecords(kafka)
  const match = matchOf(alertOf({ dedup_key: 'db-1' }), ['r1'])
  await upsert(database, [match])
  await publishMatches(kafka, [match])
  await startAggregator()
  await eventually(async () => expect((await database.query<Row>(allRows)).rows).toMatchObject([{ status: 'ready' }]))
  await publishMatches(kafka, [match])
  expect(await alertIdsUntilNow(kafka, ready)).toEqual([match.alert.alert_id])
})

test('a row left behind, whose record nobody reads again, is handed over by the sweep', async ({
  database,
  environment,
  startAggregator,
}) => {
  const kafka = testKafka(environment.KAFKA_TOPIC_PREFIX!)
  const ready = await readyRecords(kafka)
  // Text that Postgres keeps as JSON and cannot look into.
  const context = { nul: '\0', half: '\ud800' }
  const match = matchOf(alertOf({ dedup_key: 'db-1', context }), ['r1'])
  await upsert(database, [match])
  await database.query(`UPDATE handovers SET made_at = '2026-11-21T12:00:00Z'`)
  await startAggregator({ SWEEP_INTERVAL_MS: '100' })
  await eventually(() => expect(ready()).toMatchObject([{ key: 'payments:db-1', alert_id: match.alert.alert_id }]))
  await eventually(async () => expect((await database.query<Row>(allRows)).rows).toMatchObject([{ status: 'ready' }]))
  expect(await alertIdsUntilNow(kafka, ready)).toEqual([match.alert.alert_id])
})

test('of a match that never gets the rest of its rules the sweep hands over what is there', async ({
  database,
  environment,
}) => {
  const kafka = testKafka(environment.KAFKA_TOPIC_PREFIX!)
  const ready = await readyRecords(kafka)
  const producer = createProducer(kafka)
  onTestFinished(() => producer.close())
  const topic = kafka.topic(topics.notificationsReady)
  const stage = createAggregate(database, producer, topic)
  const [whole, part] = [matchOf(alertOf(), ['r1']), { ...matchOf(alertOf(), ['r1']), more_rules: true as const }]
  await stage.handle([whole, part].map(eventOf), new AbortController().signal)
  await eventually(() => expect(ready().map(record => record.alert_id)).toEqual([whole.alert.alert_id]))
  const log = createLogger('test', 'silent')
  const sweep = createSweep(database, producer, topic, log, { afterMs: 0, intervalMs: 1_000 })
  expect(await sweep.once()).toBe(1)
  await eventually(() =>
    expect(ready().map(record => record.alert_id)).toEqual([whole.alert.alert_id, part.alert.alert_id]),
  )
  expect((await database.query('SELECT FROM handovers')).rowCount).toBe(0)
})

test('a batch that is handed over leaves nothing for the sweep, one that is not does', async ({
  database,
  environment,
}) => {
  const kafka = testKafka(environment.KAFKA_TOPIC_PREFIX!)
  const producer = createProducer(kafka)
  onTestFinished(() => producer.close())
  const stage = createAggregate(database, producer, kafka.topic(topics.notificationsReady))
  const matches = Array.from({ length: 200 }, () => matchOf(alertOf(), ['r1']))
  await stage.handle(matches.map(eventOf), new AbortController().signal)
  expect((await database.query('SELECT FROM handovers')).rowCount).toBe(0)
  await upsert(database, [matchOf(alertOf(), ['r1'])])
  expect((await database.query('SELECT FROM handovers')).rowCount).toBe(1)
})

test('what a sweep hands over comes in the order of arrival, whatever the ids are', async ({
  database,
  environment,
}) => {
  const kafka = testKafka(environment.KAFKA_TOPIC_PREFIX!)
  const ready = await readyRecords(kafka)
  const producer = createProducer(kafka)
  onTestFinished(() => producer.close())
  const ids = ['z', 'a', 'm', 'b', 'y']
  await upsert(
    database,
    ids.map(alert_id => matchOf(alertOf({ alert_id, dedup_key: 'db-1' }), ['r1'])),
  )
  const log = createLogger('test', 'silent')
  const topic = kafka.topic(topics.notificationsReady)
  expect(await createSweep(database, producer, topic, log, { afterMs: 0, intervalMs: 1_000 }).once()).toBe(5)
  await eventually(() => expect(ready().map(record => record.alert_id)).toEqual(ids))
})

test('a sweep leaves alone what another sweep is at', async ({ database }) => {
  await upsert(database, [matchOf(alertOf(), ['r1'])])
  const log = createLogger('test', 'silent')
  const options = { afterMs: 0, intervalMs: 1_000 }
  const refusing = { send: () => Promise.reject(new Error('not to be called')), close: async () => {} }
  const other = createSweep(database, refusing, 'ready', log, options)
  const during = {
    send: async () => {
      expect(await other.once()).toBe(0)
      return []
    },
    close: async () => {},
  }
  const failing = {
    send: async () => {
      await during.send()
      throw new AppError('kafka_unavailable', 'away', { retryable: true })
    },
    close: async () => {},
  }
  await expect(createSweep(database, failing, 'ready', log, options).once()).rejects.toThrow('away')
  expect((await database.query('SELECT FROM handovers')).rowCount).toBe(1)
  expect(await createSweep(database, during, 'ready', log, options).once()).toBe(1)
  expect((await database.query('SELECT FROM handovers')).rowCount).toBe(0)
})

test('rules without endpoints make a notification that is skipped from the start, and with a later one it is not', async ({
  database,
}) => {
  const untold = matchOf(alertOf(), ['r1'])
  untold.rules[0]!.endpoint_ids = []
  const handOver = await upsert(database, [untold])
  const statuses = async () => (await database.query<Row>('SELECT status FROM notifications')).rows
  expect(await statuses()).toEqual([{ status: 'skipped' }])
  // Nobody has handed it over yet, so that the sender finds both rules.
  expect((await upsert(database, [matchOf(untold.alert, ['r2'])])).pending).toEqual(handOver.pending)
  expect(await statuses()).toEqual([{ status: 'ready' }])
})

test('two sweeps at once hand over each row once', async ({ database, environment }) => {
  const kafka = testKafka(environment.KAFKA_TOPIC_PREFIX!)
  const ready = await readyRecords(kafka)
  await upsert(
    database,
    Array.from({ length: 1_200 }, () => matchOf(alertOf(), ['r1'])),
  )
  const producer = createProducer(kafka)
  onTestFinished(() => producer.close())
  const sweep = () =>
    createSweep(database, producer, kafka.topic(topics.notificationsReady), createLogger('test', 'silent'), {
      afterMs: 0,
      intervalMs: 1_000,
    }).once()
  const handedOver = await Promise.all([sweep(), sweep()])
  expect(handedOver[0]! + handedOver[1]!).toBe(1_200)
  // Not the number of records: the producer repeats a request when a broker does not lead the new topic yet.
  await eventually(() => expect(new Set(ready().map(record => record.notification_id)).size).toBe(1_200))
})

test('a notification is marked as handed over only after Kafka has it', async ({ database }) => {
  const refusing = {
    send: () => Promise.reject(new AppError('kafka_unavailable', 'away', { retryable: true })),
    close: async () => {},
  }
  const stage = createAggregate(database, refusing, 'ready')
  const match = matchOf(alertOf(), ['r1'])
  const handle = () => stage.handle([eventOf(match)], new AbortController().signal)
  await expect(handle()).rejects.toThrow('away')
  expect((await database.query<Row>(allRows)).rows).toMatchObject([{ status: 'pending' }])
})

test('two aggregators with the same rows in opposite order neither block each other nor double a row', async ({
  database,
}) => {
  for (let round = 0; round < 5; round++) {
    const both = `r${round}both`
    const alerts = Array.from({ length: 500 }, () => alertOf())
    const forwards = alerts.map(alert => matchOf(alert, [both, `r${round}a`]))
    const backwards = alerts.toReversed().map(alert => matchOf(alert, [both, `r${round}b`]))
    const [first, second] = await Promise.all([upsert(database, forwards), upsert(database, backwards)])
    expect(first.created + second.created).toBe(500)
    expect(first.merged + second.merged).toBe(500)
  }
  const { rows } = await database.query<Row>(allRows)
  expect(rows).toHaveLength(2_500)
  expect(rows.every(row => row.rules.length === 3)).toBe(true)
})

test('whatever JSON an alert carries is kept as it came', async ({ database, environment, startAggregator }) => {
  const kafka = testKafka(environment.KAFKA_TOPIC_PREFIX!)
  const ready = await readyRecords(kafka)
  await startAggregator()
  const context = JSON.parse(
    '{"nul":"a\\u0000b","half":"\\ud800","__proto__":{"x":1},"big":1e308,"text":"{\\"a\\",\\\\}"}',
  )
  const match = matchOf(alertOf({ context, source: 'a\0b', name: 'NULL' }), ['r1'])
  const unstorable = matchOf(alertOf({ alert_id: 'a\0b' }), ['r1'])
  await publishMatches(kafka, [unstorable, match])
  await eventually(() => expect(ready()).toHaveLength(1))
  const { rows } = await database.query<Row>(allRows)
  expect(rows.map(row => JSON.stringify(row.alert))).toEqual([JSON.stringify(match.alert)])
})
