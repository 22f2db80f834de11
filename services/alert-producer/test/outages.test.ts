import { setTimeout as sleep } from 'node:timers/promises'
import { errorBodySchema } from '@tocsin/contracts/errors'
import { eventually } from '@tocsin/testkit/eventually'
import { startGate, targetOf } from '@tocsin/testkit/gate'
import { createPrivateDatabase, openDatabase } from '@tocsin/testkit/private-database'
import { callerOf, startRestInProcess } from '@tocsin/testkit/rest-in-process'
import { testServers } from '@tocsin/testkit/servers'
import { privateEnvironment } from '@tocsin/testkit/stack'
import { readTopic } from '@tocsin/testkit/topic-reader'
import { expect, onTestFinished, test } from 'vitest'
import { settings } from '../src/config.ts'
import { start } from '../src/start.ts'
import { startAlertProducer } from './running-alert-producer.ts'

const path = '/api/v1/alerts'
const plain = { severity: 'HIGH', source: 'api', name: 'timeout' }

test('Kafka away: 503 at our own deadline with every alert_id; sent again with them once it is back, all are in', async () => {
  await using gate = await startGate(targetOf(testServers().kafkaBrokers))
  await using running = await startAlertProducer({
    KAFKA_BROKERS: `${gate.host}:${gate.port}`,
    PRODUCE_DEADLINE_MS: '1000',
  })
  const { call } = running
  const startedAt = Date.now()
  const { status, headers, body } = await call('POST', path, [plain, {}, { ...plain, alert_id: 'mine' }])
  const tookMs = Date.now() - startedAt
  expect(tookMs).toBeGreaterThan(900)
  expect(tookMs).toBeLessThan(3_000)
  expect([status, errorBodySchema.parse(body).error_code]).toEqual([503, 'unavailable'])
  expect(Number(headers.get('retry-after'))).toBeGreaterThan(0)
  const [first, wrong, mine] = body.details.results
  expect(first).toMatchObject({
    status: 'unavailable',
    alert_id: expect.stringMatching(/^alt_/),
    error_code: 'unavailable',
  })
  expect(wrong).toMatchObject({ status: 'rejected', error_code: 'invalid' })
  expect(mine).toMatchObject({ status: 'unavailable', alert_id: 'mine' })
  expect((await call('GET', '/ready')).body.checks).toMatchObject({ kafka: { ok: false }, postgres: { ok: true } })

  await gate.open()
  const again = [first.alert_id, mine.alert_id].map(alert_id => ({ ...plain, alert_id }))
  await eventually(async () => expect((await call('POST', path, again)).status).toBe(202), { withinMs: 20_000 })
  await using reader = await readTopic(running.topic)
  await eventually(() => {
    const ids = reader.records.map(record => JSON.parse(record.value).alert_id)
    expect(new Set(ids)).toEqual(new Set([first.alert_id, 'mine']))
  })
  await eventually(async () => expect((await call('GET', '/ready')).status).toBe(200))
})

test('a stop answers who waits for Kafka at their deadline, and does not cut them off', async () => {
  await using running = await startAlertProducer({ KAFKA_BROKERS: '127.0.0.1:9', PRODUCE_DEADLINE_MS: '1000' })
  const waiting = running.call('POST', path, plain)
  await sleep(200)
  const stopped = running.service.stop()
  const { status, body } = await waiting
  expect([status, body.details.results[0].status]).toEqual([503, 'unavailable'])
  await stopped
})

test('Postgres away: a key that was good lately goes on bringing alerts, any other gets 503 and never 401', async () => {
  const { url, drop } = await createPrivateDatabase()
  onTestFinished(drop)
  const database = openDatabase(url)
  onTestFinished(() => database.close())
  await using gate = await startGate(targetOf(url))
  const behindGate = new URL(url)
  behindGate.host = `${gate.host}:${gate.port}`
  await using producer = await startAlertProducer() // only for its topics
  const environment = {
    ...privateEnvironment(behindGate.href),
    KAFKA_TOPIC_PREFIX: producer.topic.replace('alerts.new', ''),
  }
  await using service = await startRestInProcess('alert-producer', start, settings, environment)
  const call = await callerOf(service.url, database)

  expect((await call('POST', path, plain)).status).toBe(503)
  await gate.open()
  await eventually(async () => expect((await call('POST', path, plain)).status).toBe(202))
  await gate.close()
  expect((await call('POST', path, plain)).status).toBe(202)
  const other = await call('POST', path, plain, { authorization: 'Bearer tocsin_other' })
  expect([other.status, other.body.details]).toEqual([503, { reason: 'postgres_unavailable' }])
  expect((await call('GET', '/ready')).body.checks).toMatchObject({ kafka: { ok: true }, postgres: { ok: false } })
})
