import { alertMessageSchema } from '@tocsin/contracts/messages'
import { createProducer } from '@tocsin/kafka/producer'
import { readEvaluators } from '@tocsin/redis/evaluator-registry'
import { eventually } from '@tocsin/testkit/eventually'
import { publishRaw } from '@tocsin/testkit/raw-kafka'
import { testServers } from '@tocsin/testkit/servers'
import { testKafka } from '@tocsin/testkit/test-kafka'
import { readTopic } from '@tocsin/testkit/topic-reader'
import { describe, expect } from 'vitest'
import { alert, matches, matchOf, oneByOne, test } from './evaluator-fixture.ts'
import { anyRule } from './rules-in-chunks.ts'
import { metric } from './snapshot-fixture.ts'

describe('alerts become matches', () => {
  test('one of another client, in bare JSON, makes one record with each team whose rules hold', async ({
    startEvaluator,
    publishRules,
    publishAlerts,
    matched,
  }) => {
    await publishRules(5, [anyRule('rul_1'), anyRule('rul_2'), anyRule('rul_3', { team_id: 'search' })])
    await startEvaluator().untilReady()
    await publishAlerts(alert('a1', { context: { region: 'eu' }, dedup_key: 'disk' }), alert('a2', { severity: 'LOW' }))

    await matchOf(matched, 'a1')
    await eventually(() => expect(new Set(matches(matched).map(match => match.team_id)).size).toBe(2))
    const record = matched.records.find(record => record.key === 'disk')
    expect(record?.headers).toEqual({ schema_version: '1', origin: 'kafka' })
    expect(oneByOne(record!.value).find(match => match.team_id === 'payments')).toMatchObject({
      alert: { ...alert('a1'), context: { region: 'eu' }, dedup_key: 'disk', status: 'firing' },
      rules: expect.arrayContaining([
        expect.objectContaining({ rule_id: 'rul_1' }),
        expect.objectContaining({ rule_id: 'rul_2' }),
      ]),
      snapshot_version: 5,
    })
    expect(matches(matched).map(match => match.alert.alert_id)).not.toContain('a2')
  })

  test('one of our own passes its trace on', async ({ startEvaluator, publishRules, environment, matched }) => {
    await publishRules(1, [anyRule('rul_1')])
    await startEvaluator().untilReady()
    const kafka = testKafka(environment.KAFKA_TOPIC_PREFIX!)
    const producer = createProducer(kafka)
    const value = JSON.stringify(alertMessageSchema.parse(alert('a1')))
    const headers = { schema_version: '1', origin: 'http', traceparent: '00-0af7-b7ad-01' }
    await producer.send([{ topic: kafka.topic('alerts.new'), key: 'a1', value, headers }])
    await producer.close()

    await matchOf(matched, 'a1')
    expect(matched.records[0]?.headers).toEqual(headers)
  })

  test('a record that is no alert goes to the dead letters, and its partition goes on', async ({
    startEvaluator,
    publishRules,
    environment,
    matched,
  }) => {
    await publishRules(1, [anyRule('rul_1')])
    await startEvaluator().untilReady()
    const topic = `${environment.KAFKA_TOPIC_PREFIX}alerts.new`
    const values = ['{"alert_id":', '{"alert_id":"a1"}', '', '[]', JSON.stringify(alert('after'))]
    const records = values.map(value => ({ value, partition: 4 }))
    await publishRaw(testServers().kafkaBrokers, topic, records)

    await matchOf(matched, 'after')
    await using letters = await readTopic(`${environment.KAFKA_TOPIC_PREFIX}dead.letters`)
    const refused = () => letters.records.map(record => JSON.parse(record.value))
    const textOf = (letter: { value: string }) => Buffer.from(letter.value, 'base64').toString()
    await eventually(() => expect(new Set(refused().map(textOf))).toEqual(new Set(values.slice(0, -1))))
    expect(refused().find(letter => textOf(letter) === '{"alert_id":"a1"}')).toMatchObject({
      service: 'evaluator',
      source: { topic, partition: 4 },
      error: { code: 'not_the_schema', message: expect.stringContaining('/severity') },
    })
  })

  test('a team with more rules than a record can hold is told all of them, and costs no other team anything', async ({
    startEvaluator,
    publishRules,
    publishAlerts,
    matched,
  }) => {
    const endpoint_ids = Array.from({ length: 20 }, (_, index) => `end_${index}${'x'.repeat(30)}`)
    const many = Array.from({ length: 1_500 }, (_, index) => anyRule(`rul_${index}`, { endpoint_ids }))
    await publishRules(1, [...many, anyRule('rul_other', { team_id: 'search' })])
    await startEvaluator().untilReady()
    await publishAlerts(alert('a1'), alert('a2'))

    const told = (team: string, alertId: string) =>
      matches(matched)
        .filter(match => match.team_id === team && match.alert.alert_id === alertId)
        .flatMap(match => match.rules.map(one => one.rule_id))
    await eventually(() => {
      for (const id of ['a1', 'a2']) {
        expect(new Set(told('payments', id)).size).toBe(1_500)
        expect(told('search', id)).toContain('rul_other')
      }
    })
  })

  test('a match that is larger than a record may be is a dead letter, and the others of its alert are written', async ({
    startEvaluator,
    publishRules,
    publishAlerts,
    environment,
    matched,
  }) => {
    const endpoint_ids = Array.from({ length: 100 }, (_, index) => `end_${index}${'x'.repeat(2_000)}`)
    await publishRules(1, [anyRule('rul_large', { endpoint_ids }), anyRule('rul_small', { team_id: 'search' })])
    await startEvaluator().untilReady()
    await using letters = await readTopic(`${environment.KAFKA_TOPIC_PREFIX}dead.letters`)
    await publishAlerts(alert('large', { context: { text: 'x'.repeat(900_000) } }), alert('small'))

    await eventually(() => {
      const told = new Set(matches(matched).map(match => `${match.team_id} ${match.alert.alert_id}`))
      expect([...told].toSorted()).toEqual(['payments small', 'search large', 'search small'])
      expect(letters.records.map(record => JSON.parse(record.value).error)).toEqual([
        { code: 'kafka_record_too_large', message: expect.stringContaining('not told to payments: ') },
      ])
    })
  })

  test('an evaluator that stops in the middle loses no alert', async ({
    startEvaluator,
    publishRules,
    publishAlerts,
    matched,
  }) => {
    await publishRules(1, [anyRule('rul_1')])
    const ids = Array.from({ length: 600 }, (_, index) => `a${index}`)
    const first = startEvaluator()
    await first.untilReady()
    await publishAlerts(...ids.slice(0, 300).map(id => alert(id)))
    await matchOf(matched, 'a0')
    const rest = publishAlerts(...ids.slice(300).map(id => alert(id)))
    await first.stop()
    await rest

    await startEvaluator().untilReady()
    await eventually(() => expect(new Set(matches(matched).map(match => match.alert.alert_id)).size).toBe(600))
  })
})

describe('rules come and go', () => {
  test('before there is any snapshot it waits, not ready, and then matches what came meanwhile', async ({
    startEvaluator,
    publishRules,
    publishAlerts,
    matched,
  }) => {
    await publishAlerts(alert('early'))
    const evaluator = startEvaluator()
    await evaluator.started
    await eventually(async () =>
      expect(await evaluator.unready()).toEqual({
        snapshot: 'there is no snapshot yet',
        kafka: expect.stringContaining('not started'),
      }),
    )
    await publishRules(1, [anyRule('rul_1')])
    expect((await matchOf(matched, 'early')).snapshot_version).toBe(1)
    await evaluator.untilReady()
  })

  test('a snapshot without a rule is enough to be ready', async ({ startEvaluator, publishRules }) => {
    await publishRules(1, [])
    await startEvaluator().untilReady()
  })

  test('a rule that left the snapshot is silent, a new one is live at once', async ({
    startEvaluator,
    publishRules,
    publishAlerts,
    redis,
    prefix,
    matched,
  }) => {
    await publishRules(1, [anyRule('old')])
    await startEvaluator().untilReady()
    await publishAlerts(alert('a1'))
    expect((await matchOf(matched, 'a1')).rules.map(one => one.rule_id)).toEqual(['old'])

    await publishRules(2, [anyRule('new')])
    await inUse(redis, prefix, 2)
    await publishAlerts(alert('a2'))
    const match = await matchOf(matched, 'a2')
    expect(match.rules.map(one => one.rule_id)).toEqual(['new'])
    expect(match.snapshot_version).toBe(2)
  })

  test('whatever is swapped meanwhile, each match is of one snapshot, and its version is that snapshot’s', async ({
    startEvaluator,
    publishRules,
    publishAlerts,
    redis,
    prefix,
    matched,
  }) => {
    // Snapshot n has one rule that never changes and some others, all at version n; n tells how many.
    const versionsIn = (version: number) => [1, ...Array<number>(1 + (version % 5)).fill(version)]
    const rulesOf = (version: number) => versionsIn(version).map((each, at) => anyRule(`rul_${at}`, { version: each }))
    const before = { inPlace: await swaps('in place'), beside: await swaps('beside') }
    await publishRules(1, rulesOf(1), 4)
    await startEvaluator().untilReady()
    for (let version = 2; version <= 60; version++) {
      const chunkCount = version <= 30 ? 4 : 2
      await Promise.all([publishRules(version, rulesOf(version), chunkCount), publishAlerts(alert(`a${version}`))])
      if (version % 10 === 0) await inUse(redis, prefix, version)
    }
    await eventually(() => expect(new Set(matches(matched).map(match => match.alert.alert_id)).size).toBe(59))
    for (const { snapshot_version, rules } of matches(matched)) {
      expect(rules.map(one => one.version).toSorted((a, b) => a - b)).toEqual(versionsIn(snapshot_version))
    }
    // The first snapshot is built beside as well.
    expect((await swaps('in place')) - before.inPlace).toBeGreaterThan(3)
    expect((await swaps('beside')) - before.beside).toBe(2)
  })
})

const swaps = (how: string) => metric('tocsin_evaluator_swaps_total', { how })

async function inUse(redis: Parameters<typeof readEvaluators>[0], prefix: string, version: number): Promise<void> {
  await eventually(async () => {
    const evaluators = await readEvaluators(redis, prefix)
    expect(evaluators.map(evaluator => evaluator.snapshot_version)).toEqual([version])
  })
}
