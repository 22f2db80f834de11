import { errorBodySchema } from '@tocsin/contracts/errors'
import { eventually } from '@tocsin/testkit/eventually'
import { startGate, targetOf } from '@tocsin/testkit/gate'
import { createPrivateDatabase, openDatabase } from '@tocsin/testkit/private-database'
import { callerOf, startRestInProcess } from '@tocsin/testkit/rest-in-process'
import { testServers } from '@tocsin/testkit/servers'
import { expect, it, onTestFinished } from 'vitest'
import { settings } from '../src/config.ts'
import { start } from '../src/start.ts'
import { conditions, startRuleService } from './running-rule-service.ts'

it('Postgres away: 503 with Retry-After, never 401, from the first moment; and all by itself when it is back', async () => {
  const { url, drop } = await createPrivateDatabase()
  onTestFinished(drop)
  const database = openDatabase(url)
  onTestFinished(() => database.close())
  await using gate = await startGate(targetOf(url))
  const behindGate = new URL(url)
  behindGate.host = `${gate.host}:${gate.port}`
  await using service = await startRestInProcess('rule-service', start, settings, {
    DATABASE_URL: behindGate.href,
    KAFKA_BROKERS: testServers().kafkaBrokers,
    REDIS_URL: testServers().redisUrl,
    HOST: '127.0.0.1',
    PORT: '0',
    KAFKA_TOPIC_PREFIX: 'none.',
  })
  const call = await callerOf(service.url, database)

  const expectUnavailable = async () => {
    const { status, headers, body } = await call('GET', '/api/v1/teams')
    expect([status, errorBodySchema.parse(body).error_code]).toEqual([503, 'unavailable'])
    expect(Number(headers.get('retry-after'))).toBeGreaterThan(0)
    const { checks } = (await call('GET', '/ready')).body
    expect(checks.postgres).toEqual({ ok: false, error: expect.stringContaining('Postgres') })
    expect((await call('GET', '/status')).body.outbox).toBeNull()
    expect((await call('GET', '/health')).status).toBe(200)
  }
  await expectUnavailable()
  await gate.open()
  await eventually(async () =>
    expect((await call('POST', '/api/v1/teams', { team_id: 'payments', name: 'x' })).status).toBe(201),
  )
  await gate.close()
  await expectUnavailable() // the key is known from before; the answer is still about Postgres
  await gate.open()
  await eventually(async () => expect((await call('GET', '/api/v1/teams/payments')).status).toBe(200))
})

it('Redis away: rules are written and read, and only "live" is unknown', async () => {
  await using gate = await startGate(targetOf(testServers().redisUrl))
  await using running = await startRuleService({ REDIS_URL: `redis://${gate.host}:${gate.port}` })
  const { call } = running
  await call('POST', '/api/v1/teams', { team_id: 'payments', name: 'Payments' })
  const made = await call('POST', '/api/v1/teams/payments/rules', { name: 'x', conditions })
  expect(made.status).toBe(201)
  const path = `/api/v1/teams/payments/rules/${made.body.rule_id}`
  expect((await call('GET', path)).body.live).toBeNull()
  expect((await call('GET', '/ready')).body.checks.redis.ok).toBe(false)
  await gate.open()
  await eventually(async () =>
    expect((await call('GET', path)).body.live).toEqual({ evaluators: '0/0', version: null, since: null }),
  )
})
