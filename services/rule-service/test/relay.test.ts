import { setTimeout as sleep } from 'node:timers/promises'
import { ruleChangedSchema } from '@tocsin/contracts/messages'
import type { Database } from '@tocsin/postgres/database'
import { eventually } from '@tocsin/testkit/eventually'
import { startGate, targetOf } from '@tocsin/testkit/gate'
import { callerOf } from '@tocsin/testkit/rest-in-process'
import { testServers } from '@tocsin/testkit/servers'
import { ServiceProcess } from '@tocsin/testkit/service-process'
import { test } from '@tocsin/testkit/test'
import { readTopic, type TopicReader } from '@tocsin/testkit/topic-reader'
import { expect, onTestFinished } from 'vitest'
import { prunePublished } from '../src/outbox.ts'
import { conditions, type RunningRuleService, startRuleService } from './running-rule-service.ts'

const teamPath = '/api/v1/teams/payments'

const toldBy = ({ records }: TopicReader) =>
  records.map(record => ({ ...ruleChangedSchema.parse(JSON.parse(record.value)), ...record }))

/** Versions of each rule in the order in which the topic has them, repeats left out. */
function versionsOf(reader: TopicReader): Map<string, number[]> {
  const versions = new Map<string, number[]>()
  for (const { rule_id, version } of toldBy(reader)) {
    const seen = versions.get(rule_id) ?? []
    if (!seen.includes(version)) versions.set(rule_id, [...seen, version])
  }
  return versions
}

const unpublished = async (database: Database) =>
  (await database.query('SELECT FROM outbox WHERE published_at IS NULL')).rowCount

const reading = ({ environment }: RunningRuleService) => readTopic(`${environment.KAFKA_TOPIC_PREFIX}rule.changed`)

async function makeRule(call: RunningRuleService['call'], name = 'x'): Promise<string> {
  const { status, body } = await call('POST', `${teamPath}/rules`, { name, conditions })
  expect(status).toBe(201)
  return body.rule_id
}

test('tells every change of a rule on rule.changed, keyed by the rule, at once and in order', async () => {
  await using running = await startRuleService()
  await using reader = await reading(running)
  const { call, database } = running
  await running.service.running.started
  await call('POST', '/api/v1/teams', { team_id: 'payments', name: 'Payments' })
  const rule = await makeRule(call)
  await eventually(() => expect(toldBy(reader)).toHaveLength(1))
  await call('PATCH', `${teamPath}/rules/${rule}`, { enabled: false })
  await call('DELETE', `${teamPath}/rules/${rule}`)
  await eventually(() =>
    expect(toldBy(reader).map(told => `${told.action} ${told.version}`)).toEqual([
      'created 1',
      'disabled 2',
      'deleted 3',
    ]),
  )
  for (const told of toldBy(reader)) {
    expect(told).toMatchObject({ key: rule, rule_id: rule, team_id: 'payments', schema_version: 1 })
    expect(told.headers).toEqual({ schema_version: '1', origin: 'rule-service' })
  }
  await eventually(async () => expect(await unpublished(database)).toBe(0))
})

test('two copies of the service under many writers: nothing missing, and of each rule everything in order', async () => {
  await using running = await startRuleService()
  await using second = await running.another()
  await using reader = await reading(running)
  const { call } = running
  await Promise.all([running.service.running.started, second.running.started])
  await call('POST', '/api/v1/teams', { team_id: 'payments', name: 'Payments' })
  const rules = await Promise.all(Array.from({ length: 8 }, (_, n) => makeRule(call, `rule ${n}`)))
  await Promise.all(
    rules.flatMap(rule =>
      Array.from({ length: 15 }, (_, n) => call('PATCH', `${teamPath}/rules/${rule}`, { name: `edit ${n}` })),
    ),
  )
  const all = Array.from({ length: 16 }, (_, n) => n + 1)
  await eventually(() => expect(versionsOf(reader)).toEqual(new Map(rules.map(rule => [rule, all]))))
})

test('REST goes on while Kafka is away; what was changed meanwhile is told once it is back, in order', async () => {
  await using gate = await startGate(targetOf(testServers().kafkaBrokers))
  await using running = await startRuleService({ KAFKA_BROKERS: `${gate.host}:${gate.port}` })
  await using reader = await reading(running)
  const { call, database } = running
  await eventually(async () => {
    const { status, body } = await call('GET', '/ready')
    expect(status).toBe(503)
    expect(body.checks).toMatchObject({ kafka: { ok: false }, postgres: { ok: true }, redis: { ok: true } })
  })
  await call('POST', '/api/v1/teams', { team_id: 'payments', name: 'Payments' })
  const rules = [await makeRule(call, 'one'), await makeRule(call, 'two')]
  for (const rule of rules) {
    expect((await call('PATCH', `${teamPath}/rules/${rule}`, { enabled: false })).status).toBe(200)
  }
  expect(await unpublished(database)).toBe(4)
  expect((await call('GET', '/status')).body.outbox.rows).toBe(4)
  await gate.open()
  await eventually(() => expect(versionsOf(reader)).toEqual(new Map(rules.map(rule => [rule, [1, 2]]))), {
    withinMs: 25_000,
  })
  await eventually(async () => {
    expect(await unpublished(database)).toBe(0)
    expect((await call('GET', '/ready')).status).toBe(200)
  })
})

test('stops within its grace while Kafka is away, and the next start tells what was left', async () => {
  await using running = await startRuleService({ KAFKA_BROKERS: '127.0.0.1:9' })
  await running.call('POST', '/api/v1/teams', { team_id: 'payments', name: 'Payments' })
  const rule = await makeRule(running.call)
  await sleep(300) // the relay is in the middle of its attempt
  const startedAt = Date.now()
  await running.service.stop()
  expect(Date.now() - startedAt).toBeLessThan(8_000)
  running.environment.KAFKA_BROKERS = testServers().kafkaBrokers
  await using next = await running.another()
  await using reader = await reading(running)
  await next.running.started
  await eventually(() => expect(versionsOf(reader)).toEqual(new Map([[rule, [1]]])))
})

test('the connection that listens is lost: changes are told meanwhile, and it comes back', async () => {
  await using running = await startRuleService()
  await using reader = await reading(running)
  const { call, database } = running
  const listener = async () => {
    const { rows } = await database.query<{ pid: number }>(
      `SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN "outbox"'`,
    )
    expect(rows).toHaveLength(1)
    return rows[0]!.pid
  }
  await call('POST', '/api/v1/teams', { team_id: 'payments', name: 'Payments' })
  const lost = await eventually(listener)
  await database.query('SELECT pg_terminate_backend($1)', [lost])
  const rule = await makeRule(call)
  await eventually(() => expect(versionsOf(reader)).toEqual(new Map([[rule, [1]]])))
  await eventually(async () => expect(await listener()).not.toBe(lost))
})

test('a copy that is stopped in its transaction loses its rows to another, and goes on when it wakes up', async () => {
  await using running = await startRuleService({ KAFKA_BROKERS: '127.0.0.1:9' })
  await using reader = await reading(running)
  await running.service.stop()
  const stopped = new ServiceProcess('rule-service', running.environment)
  onTestFinished(async () => void (await stopped.end('SIGKILL')))
  await stopped.start()
  const call = await callerOf(stopped.url, running.database)
  await call('POST', '/api/v1/teams', { team_id: 'payments', name: 'Payments' })
  const rule = await makeRule(call)
  const inTransaction = async () => {
    const { rowCount } = await running.database.query(
      `SELECT FROM pg_stat_activity WHERE datname = current_database() AND state = 'idle in transaction'`,
    )
    expect(rowCount).toBe(1)
  }
  await eventually(async () => {
    await inTransaction()
    process.kill(stopped.pid!, 'SIGSTOP')
    await inTransaction().catch(error => {
      process.kill(stopped.pid!, 'SIGCONT') // it had just ended by itself
      throw error
    })
  })
  running.environment.KAFKA_BROKERS = testServers().kafkaBrokers
  await using next = await running.another()
  await next.running.started
  await eventually(() => expect(versionsOf(reader)).toEqual(new Map([[rule, [1]]])), { withinMs: 25_000 })
  process.kill(stopped.pid!, 'SIGCONT')
  await call('PATCH', `${teamPath}/rules/${rule}`, { name: 'y' })
  await eventually(() => expect(versionsOf(reader)).toEqual(new Map([[rule, [1, 2]]])), { withinMs: 25_000 })
  await eventually(async () => expect((await call('GET', '/ready')).body.checks.postgres.ok).toBe(true))
}, 60_000)

test('forgets what was told more than a day ago, and nothing that was not', async ({ database }) => {
  await database.query(
    `INSERT INTO outbox (topic, key, message, created_at, published_at) VALUES
       ('rule.changed', 'old', '{}', now() - interval '3 days', now() - interval '25 hours'),
       ('rule.changed', 'new', '{}', now() - interval '3 days', now() - interval '1 hour'),
       ('rule.changed', 'unpublished', '{}', now() - interval '3 days', NULL)`,
  )
  expect(await prunePublished(database, 10)).toBe(1)
  const { rows } = await database.query('SELECT key FROM outbox ORDER BY key')
  expect(rows).toEqual([{ key: 'new' }, { key: 'unpublished' }])
})

test('forgets in steps, the oldest first, and finds them by an index', async ({ database }) => {
  await database.query(
    `INSERT INTO outbox (topic, key, message, published_at)
     SELECT 'rule.changed', n, '{}', now() - interval '1 day' - n * interval '1 second' FROM generate_series(1, 25) AS n`,
  )
  expect(await prunePublished(database, 10)).toBe(10)
  const { rows } = await database.query('SELECT max(key::int) AS oldest FROM outbox')
  expect(rows).toEqual([{ oldest: 15 }])
  expect(await prunePublished(database, 10)).toBe(10)
  expect(await prunePublished(database, 10)).toBe(5)
  const plan = await database.transaction(async client => {
    await client.query('SET LOCAL enable_seqscan = off')
    return client.query(`EXPLAIN SELECT FROM outbox WHERE published_at < now() ORDER BY published_at LIMIT 10`)
  })
  expect(JSON.stringify(plan.rows)).toContain('outbox_published')
})
