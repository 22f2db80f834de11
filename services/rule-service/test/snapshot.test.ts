import { hash } from 'node:crypto'
import type { Manifest } from '@tocsin/contracts/snapshot'
import { closeRedis, connectRedis, type Redis } from '@tocsin/redis/connection'
import { heartbeat, removeEvaluator } from '@tocsin/redis/evaluator-registry'
import { swapManifest } from '@tocsin/redis/snapshot-store'
import { createLogger } from '@tocsin/runtime/logger'
import { eventually } from '@tocsin/testkit/eventually'
import { startGate, targetOf } from '@tocsin/testkit/gate'
import { callerOf } from '@tocsin/testkit/rest-in-process'
import { testServers } from '@tocsin/testkit/servers'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { conditions, type RunningRuleService, stamp, startRuleService } from './running-rule-service.ts'

const path = '/api/v1/snapshot'
let running: RunningRuleService
let redis: Redis
let prefix: string

beforeEach(async () => {
  running = await startRuleService()
  await running.service.running.started
  prefix = running.environment.REDIS_KEY_PREFIX!
  redis = connectRedis({ REDIS_URL: testServers().redisUrl, REDIS_KEY_PREFIX: prefix }, createLogger('test', 'silent'))
  await new Promise(resolve => redis.once('ready', resolve))
})
afterEach(async () => {
  await redis.del(`${prefix}snapshot:current`, `${prefix}evaluators`)
  await closeRedis(redis)
  await running[Symbol.asyncDispose]()
})

const call: RunningRuleService['call'] = (...request) => running.call(...request)
const secondsAgo = (seconds: number) => new Date(Date.now() - seconds * 1_000).toISOString()

/** A snapshot without rules, as rule-updater publishes it. */
async function publish(version: number, built_at: string, base?: Manifest): Promise<Manifest> {
  const chunks = [{ hash: '', rules: 0, bytes: 0 }]
  const manifest = {
    version,
    token: 3,
    hash: hash('sha256', '', 'hex'),
    rules: 0,
    built_at,
    oldest_change_at: null,
    chunks,
  }
  const swapped = await swapManifest(redis, prefix, { manifest, base, isConfirmed: true })
  expect(swapped.outcome).toBe('published')
  return manifest
}

const lead = (leader_id: string | null, until: string) =>
  running.database.query(
    `UPDATE snapshot_lease SET leader_id = $1, token = token + 1, leader_since = now(), lease_until = ${until}`,
    [leader_id],
  )

it('before there is any snapshot: the same shape, with nulls', async () => {
  await heartbeat(redis, prefix, { evaluator_id: 'orphan', snapshot_version: 4, since: secondsAgo(60) })
  const { status, body } = await call('GET', path)
  expect(status).toBe(200)
  expect(body).toEqual({
    version: null,
    token: null,
    hash: null,
    rules: null,
    chunks: null,
    bytes: null,
    built_at: null,
    age_seconds: null,
    leader: null,
    last_reconcile: null,
    rebuilds: { wanted: 0, done: 0 },
    waiting_changes: 0,
    evaluators: [
      {
        evaluator_id: 'orphan',
        version: 4,
        since: expect.any(String),
        refused_rules: 0,
        lag: { versions: null, seconds: null },
      },
    ],
    evaluators_current: '0/1',
  })
})

it('shows what is in Redis, who builds it, and what waits', async () => {
  const chunks = [
    { hash: 'a', rules: 2, bytes: 700 },
    { hash: '', rules: 0, bytes: 0 },
    { hash: 'b', rules: 1, bytes: 500 },
  ]
  const built_at = secondsAgo(100)
  const manifest = {
    version: 12,
    token: 3,
    hash: hash('sha256', 'a,,b', 'hex'),
    rules: 3,
    built_at,
    oldest_change_at: null,
    chunks,
  }
  await redis.hset(`${prefix}snapshot:current`, { version: 12, token: 3, manifest: JSON.stringify(manifest) })
  const last_reconcile = { at: built_at, seconds: 0.5, rules: 3, drift: 0 }
  await running.database.query('UPDATE snapshot_lease SET last_reconcile = $1', [last_reconcile])
  await lead('updater-1', `now() + interval '1 minute'`)
  await call('POST', '/api/v1/teams', { team_id: 'payments', name: 'x' })
  for (const name of ['x', 'y']) await call('POST', '/api/v1/teams/payments/rules', { name, conditions })
  const { body } = await call('GET', path)

  expect(body).toEqual({
    version: 12,
    token: 3,
    hash: manifest.hash,
    rules: 3,
    chunks: 3,
    bytes: 1_200,
    built_at,
    age_seconds: expect.any(Number),
    leader: { leader_id: 'updater-1', since: expect.any(String), lease_until: expect.any(String) },
    last_reconcile,
    rebuilds: { wanted: 0, done: 0 },
    waiting_changes: 2,
    evaluators: [],
    evaluators_current: '0/0',
  })
  expect(body.age_seconds).toBeGreaterThan(99)
})

it('a lease that ran out and one that was given back have no leader', async () => {
  await lead('updater-1', `now() - interval '1 second'`)
  expect((await call('GET', path)).body.leader).toBeNull()
  await lead(null, `'-infinity'`)
  expect((await call('GET', path)).body.leader).toBeNull()
})

it('an evaluator lags since the first change was live that it does not have', async () => {
  await call('POST', '/api/v1/teams', { team_id: 'payments', name: 'x' })
  const { rule_id } = (await call('POST', '/api/v1/teams/payments/rules', { name: 'x', conditions })).body
  const write = (name: string) => call('PATCH', `/api/v1/teams/payments/rules/${rule_id}`, { name })
  await stamp(running.database, rule_id, 5, secondsAgo(3_000))
  await write('y')
  await stamp(running.database, rule_id, 8, secondsAgo(2_000))
  await write('z')
  await stamp(running.database, rule_id, 9, secondsAgo(1_000))
  await publish(10, secondsAgo(500)) // which changed no rule: a rebuild, or a new leader
  const since = secondsAgo(2_500)
  for (const version of [4, 5, 8, 9, 10, 11]) {
    await heartbeat(redis, prefix, { evaluator_id: `at ${version}`, snapshot_version: version, since })
  }
  const { evaluators, evaluators_current } = (await call('GET', path)).body

  const told = evaluators.map(
    ({ version, lag }: { version: number; lag: { versions: number; seconds: number } }) =>
      [version, lag.versions, Math.floor(lag.seconds / 500) * 500] as const,
  )
  expect(told.sort(([a]: [number], [b]: [number]) => a - b)).toEqual([
    [4, 6, 3_000],
    [5, 5, 2_000],
    [8, 2, 1_000],
    [9, 1, 500],
    [10, 0, 0],
    [11, 0, 0],
  ])
  expect(evaluators[0]).toMatchObject({ evaluator_id: 'at 10', since })
  expect(evaluators_current).toBe('2/6')
  await removeEvaluator(redis, prefix, 'at 4')
  expect((await call('GET', path)).body.evaluators_current).toBe('2/5')
})

it('an evaluator that cannot use some rules says how many', async () => {
  await publish(3, secondsAgo(1))
  const refused = { rules: 2, rule_ids: ['rul_1'] }
  await heartbeat(redis, prefix, { evaluator_id: 'older', snapshot_version: 3, since: secondsAgo(1), refused })
  expect((await call('GET', path)).body.evaluators).toMatchObject([{ evaluator_id: 'older', refused_rules: 2 }])
})

it('what cannot be read is 503 with Retry-After until the leader has put it right', async () => {
  const base = await publish(3, secondsAgo(1))
  await redis.hset(`${prefix}snapshot:current`, 'manifest', '{"version": 3}')
  const { status, headers, body } = await call('GET', path)
  expect([status, body.error_code, body.details]).toEqual([503, 'unavailable', { reason: 'bad_snapshot' }])
  expect(Number(headers.get('retry-after'))).toBeGreaterThan(0)
  await publish(4, secondsAgo(0), base)
  expect((await call('GET', path)).body.version).toBe(4)
})

it('Redis away: 503 with Retry-After; a rebuild can be asked for all the same', async () => {
  await using gate = await startGate(targetOf(testServers().redisUrl))
  running.environment.REDIS_URL = `redis://${gate.host}:${gate.port}`
  await using cutOff = await running.another()
  const callCutOff = await callerOf(cutOff.url, running.database)
  const { status, headers, body } = await callCutOff('GET', path)
  expect([status, body.error_code, body.details]).toEqual([503, 'unavailable', { reason: 'redis_unavailable' }])
  expect(Number(headers.get('retry-after'))).toBeGreaterThan(0)
  expect((await callCutOff('POST', `${path}/rebuild`)).status).toBe(202)
  await gate.open()
  await eventually(async () => expect((await callCutOff('GET', path)).body.rebuilds).toEqual({ wanted: 1, done: 0 }))
})

it('each rebuild that is asked for counts, and needs no body', async () => {
  const asked = await Promise.all([1, 2, 3].map(() => call('POST', `${path}/rebuild`)))
  expect(asked.map(answer => [answer.status, answer.body.wanted]).sort()).toEqual([
    [202, 1],
    [202, 2],
    [202, 3],
  ])
  expect((await call('GET', path)).body.rebuilds).toEqual({ wanted: 3, done: 0 })
})

it('a rebuild that is asked for is never done already, whatever the numbers in the row are', async () => {
  await running.database.query('UPDATE snapshot_lease SET rebuilds_wanted = 0, rebuilds_done = 5')
  expect((await call('POST', `${path}/rebuild`)).body.wanted).toBe(6)
  expect((await call('GET', path)).body.rebuilds).toEqual({ wanted: 6, done: 5 })
})

it('a row of the lease that somebody deleted: nobody leads, and a rebuild can be asked for', async () => {
  await running.database.query('DELETE FROM snapshot_lease')
  const { status, body } = await call('GET', path)
  expect([status, body.leader, body.last_reconcile, body.rebuilds]).toEqual([200, null, null, { wanted: 0, done: 0 }])
  const asked = await Promise.all([1, 2].map(() => call('POST', `${path}/rebuild`)))
  expect(asked.map(answer => [answer.status, answer.body.wanted]).sort()).toEqual([
    [202, 1],
    [202, 2],
  ])
  expect((await call('GET', path)).body.rebuilds).toEqual({ wanted: 2, done: 0 })
})
