import { setTimeout as sleep } from 'node:timers/promises'
import type { Queryable } from '@tocsin/postgres/database'
import { connectRedis } from '@tocsin/redis/connection'
import { createLogger } from '@tocsin/runtime/logger'
import { eventually } from '@tocsin/testkit/eventually'
import { startGate, targetOf } from '@tocsin/testkit/gate'
import { testKafka } from '@tocsin/testkit/test-kafka'
import { expect, onTestFinished } from 'vitest'
import { claim, record } from '../src/attempts-store.ts'
import { countLate, createDeliveries, takeDue } from '../src/deliveries-store.ts'
import { createDeliveryQueue, runWorkers } from '../src/delivery-queue.ts'
import { loseRedisKeys } from './redis-keys.ts'
import {
  addTeam,
  addWebhook,
  attemptsOf,
  deliveriesOf,
  type Notified,
  notify,
  publishReady,
  statuses,
  statusOf,
} from './scene.ts'
import { test } from './sender-test.ts'

const quietMs = 700
const log = createLogger('test', 'silent')

async function notifyMany(db: Queryable, endpoints: string[], count: number): Promise<Notified[]> {
  return Promise.all(Array.from({ length: count }, () => notify(db, endpoints)))
}

const idsOf = (received: { headers: Record<string, unknown> }[]) => received.map(({ headers }) => headers['webhook-id'])

test('the same ready record twice is one delivery', async ({ database, environment, webhooks, startSender }) => {
  const kafka = testKafka(environment.KAFKA_TOPIC_PREFIX!)
  const notified = await notify(database, [await addWebhook(database, webhooks.url)])
  await publishReady(kafka, [notified, notified])
  await startSender()
  await eventually(async () => expect(await statusOf(database, notified)).toBe('delivered'))
  await publishReady(kafka, [notified])
  await sleep(quietMs)
  expect(webhooks.received).toHaveLength(1)
  expect(await deliveriesOf(database, notified)).toHaveLength(1)
})

test('a rule merged in after the deliveries were made tells nobody else, also when the record comes again', async ({
  database,
  environment,
  webhooks,
  startSender,
}) => {
  const kafka = testKafka(environment.KAFKA_TOPIC_PREFIX!)
  const [first, later] = [await addWebhook(database, webhooks.url), await addWebhook(database, webhooks.url)]
  const notified = await notify(database, [first])
  await createDeliveries(database, [notified.notificationId], 0)
  const rule = { rule_id: 'rul_later', name: 'later', version: 1, endpoint_ids: [later] }
  await database.query('UPDATE notifications SET rules = (rules::jsonb || $1::jsonb)::json', [JSON.stringify([rule])])
  await publishReady(kafka, [notified])
  await startSender()
  await eventually(async () => expect(await statusOf(database, notified)).toBe('delivered'))
  expect(await deliveriesOf(database, notified)).toMatchObject([{ endpoint_id: first }])
})

test('nobody to tell, because there is no endpoint, or it is off, gone or another team’s: skipped', async ({
  database,
  environment,
  webhooks,
  startSender,
}) => {
  await addTeam(database)
  const others = await addWebhook(database, webhooks.url, { teamId: 'search' })
  const off = await addWebhook(database, webhooks.url, { enabled: false })
  const notified = [
    await notify(database, []),
    await notify(database, [off]),
    await notify(database, ['end_gone']),
    await notify(database, [others, off]),
  ]
  await publishReady(testKafka(environment.KAFKA_TOPIC_PREFIX!), notified)
  await startSender()
  await eventually(async () => expect(await statuses(database)).toEqual({ skipped: 4 }))
  expect(webhooks.received).toHaveLength(0)
})

test('an endpoint that two rules name is told once', async ({ database, environment, webhooks, startSender }) => {
  const endpoint = await addWebhook(database, webhooks.url)
  const notified = await notify(database, [endpoint, endpoint])
  await publishReady(testKafka(environment.KAFKA_TOPIC_PREFIX!), [notified])
  await startSender()
  await eventually(async () => expect(await statusOf(database, notified)).toBe('delivered'))
  expect(webhooks.received).toHaveLength(1)
  expect(JSON.parse(webhooks.received[0]!.body).data.rules).toHaveLength(2)
})

test('an endpoint turned off while its delivery waits is not told', async ({ database, webhooks, startSender }) => {
  const notified = await notify(database, [await addWebhook(database, webhooks.url)])
  await createDeliveries(database, [notified.notificationId], 0)
  await database.query('UPDATE endpoints SET enabled = false')
  await startSender()
  await eventually(async () => expect(await statusOf(database, notified)).toBe('skipped'))
  expect(webhooks.received).toHaveLength(0)
  expect(await deliveriesOf(database, notified)).toMatchObject([{ state: 'skipped', last_error: 'endpoint_gone' }])
})

test('two senders at once make one request for each delivery', async ({
  database,
  environment,
  webhooks,
  startSender,
}) => {
  const notified = await notifyMany(database, [await addWebhook(database, webhooks.url)], 300)
  await Promise.all([startSender(), startSender()])
  await publishReady(testKafka(environment.KAFKA_TOPIC_PREFIX!), notified)
  await eventually(async () => expect(await statuses(database)).toEqual({ delivered: 300 }))
  await sleep(quietMs)
  expect(new Set(idsOf(webhooks.received)).size).toBe(300)
  expect(webhooks.received).toHaveLength(300)
})

test('Redis loses all jobs while they wait: everything is delivered, from Postgres, once', async ({
  database,
  environment,
  webhooks,
  startSender,
}) => {
  const notified = await notifyMany(database, [await addWebhook(database, webhooks.url)], 300)
  await publishReady(testKafka(environment.KAFKA_TOPIC_PREFIX!), notified)
  await startSender({ SENDER_CONCURRENCY: '1', JOB_LEASE_MS: '2000' })
  await eventually(() => expect(webhooks.received.length).toBeGreaterThan(10), { everyMs: 5 })
  expect(await loseRedisKeys(environment)).toBeGreaterThan(100)
  expect(webhooks.received.length).toBeLessThan(200)
  await eventually(async () => expect(await statuses(database)).toEqual({ delivered: 300 }))
  await sleep(quietMs)
  expect(webhooks.received).toHaveLength(300)
})

test('Redis is away when notifications come: the partition goes on, and all is sent when it is back', async ({
  database,
  environment,
  webhooks,
  startSender,
}) => {
  const gate = await startGate(targetOf(environment.REDIS_URL!))
  onTestFinished(() => gate.close())
  await gate.open()
  const url = `redis://${gate.host}:${gate.port}`
  const sender = await startSender({ REDIS_URL: url })
  await gate.close()
  const notified = await notifyMany(database, [await addWebhook(database, webhooks.url)], 20)
  await publishReady(testKafka(environment.KAFKA_TOPIC_PREFIX!), notified)
  await eventually(async () => expect(await countLate(database, 0, 100)).toBe(20))
  expect(Object.keys(await sender.unready())).toEqual(['redis'])
  expect(webhooks.received).toHaveLength(0)
  await gate.open()
  await eventually(async () => expect(await statuses(database)).toEqual({ delivered: 20 }))
  expect(webhooks.received).toHaveLength(20)
})

test('Postgres is away while deliveries are under way: none is lost, and none sent again', async ({
  database,
  environment,
  webhooks,
  startSender,
}) => {
  const gate = await startGate(targetOf(environment.DATABASE_URL!))
  onTestFinished(() => gate.close())
  await gate.open()
  const url = new URL(environment.DATABASE_URL!)
  url.hostname = gate.host
  url.port = String(gate.port)
  const notified = await notifyMany(database, [await addWebhook(database, webhooks.url)], 200)
  await startSender({ DATABASE_URL: url.href, SENDER_CONCURRENCY: '10' })
  await publishReady(testKafka(environment.KAFKA_TOPIC_PREFIX!), notified)
  await eventually(() => expect(webhooks.received.length).toBeGreaterThan(10), { everyMs: 5 })
  await gate.close()
  await sleep(1_000)
  await gate.open()
  await eventually(async () => expect(await statuses(database)).toEqual({ delivered: 200 }), { withinMs: 25_000 })
  expect(new Set(idsOf(webhooks.received)).size).toBe(200)
  expect(webhooks.received).toHaveLength(200)
})

test('a sender that died after the rows and before the jobs: the record read again has them sent at once', async ({
  database,
  environment,
  webhooks,
  startSender,
}) => {
  const notified = await notify(database, [await addWebhook(database, webhooks.url)])
  await createDeliveries(database, [notified.notificationId], 60_000)
  await publishReady(testKafka(environment.KAFKA_TOPIC_PREFIX!), [notified])
  await startSender()
  await eventually(async () => expect(await statusOf(database, notified)).toBe('delivered'))
})

test('a sender that died in the middle of an attempt: its claim runs out and the next attempt has the same id', async ({
  database,
  webhooks,
  startSender,
}) => {
  const notified = await notify(database, [await addWebhook(database, webhooks.url)])
  const { jobs } = await createDeliveries(database, [notified.notificationId], 60_000)
  await claim(database, jobs, 500)
  await startSender()
  await eventually(async () => expect(await statusOf(database, notified)).toBe('delivered'))
  expect(idsOf(webhooks.received)).toEqual([jobs[0]?.deliveryId])
  expect(await attemptsOf(database, jobs[0]!.deliveryId)).toMatchObject([
    { attempt: 1, error_code: 'interrupted' },
    { attempt: 2, error_code: null, reply_code: 200 },
  ])
})

test('a job that runs twice, and one of an attempt that is over, claim nothing', async ({ database, webhooks }) => {
  const notified = await notify(database, [await addWebhook(database, webhooks.url)])
  const { jobs } = await createDeliveries(database, [notified.notificationId], 60_000)
  const [job] = jobs
  const claims = (await Promise.all([claim(database, [job!, job!], 60_000), claim(database, [job!], 60_000)])).flat()
  expect(claims.filter(claimed => claimed !== undefined)).toHaveLength(1)
  expect(await claim(database, [{ ...job!, attempt: 2 }], 60_000)).toEqual([undefined])
})

test('what reached the recipient is delivered, also when the claim had run out by then', async ({
  database,
  webhooks,
}) => {
  const notified = await notify(database, [await addWebhook(database, webhooks.url)])
  const { jobs } = await createDeliveries(database, [notified.notificationId], 60_000)
  const attempted = { ...jobs[0]!, startedAt: new Date(), durationMs: 20_000 }
  await claim(database, jobs, 0)
  expect(await takeDue(database, 10, 60_000)).toEqual([{ ...jobs[0], attempt: 2 }])
  expect(await record(database, [{ ...attempted, state: 'failed', errorCode: 'http_4xx' }])).toEqual([false])
  expect(await deliveriesOf(database, notified)).toMatchObject([{ state: 'scheduled' }])
  expect(await record(database, [{ ...attempted, state: 'delivered' }])).toEqual([true])
  expect(await statusOf(database, notified)).toBe('delivered')
  expect(await claim(database, [{ ...jobs[0]!, attempt: 2 }], 60_000)).toEqual([undefined])
})

test('two senders that finish the last two deliveries of a notification at once leave it finished', async ({
  database,
  webhooks,
}) => {
  const endpoints = [await addWebhook(database, webhooks.url), await addWebhook(database, webhooks.url)]
  const notified = await notifyMany(database, endpoints, 100)
  const all = await createDeliveries(
    database,
    notified.map(({ notificationId }) => notificationId),
    60_000,
  )
  await claim(database, all.jobs, 60_000)
  const done = all.jobs.map(job => ({ ...job, state: 'delivered' as const, startedAt: new Date(), durationMs: 1 }))
  await Promise.all(done.map(one => record(database, [one])))
  expect(await statuses(database)).toEqual({ delivered: 100 })
})

test('sweeps of several senders take each due delivery once', async ({ database, webhooks }) => {
  const notified = await notifyMany(database, [await addWebhook(database, webhooks.url)], 200)
  await createDeliveries(
    database,
    notified.map(({ notificationId }) => notificationId),
    0,
  )
  const taken = (await Promise.all([1, 2, 3, 4].map(() => takeDue(database, 100, 60_000)))).flat()
  expect(taken).toHaveLength(200)
  expect(new Set(taken.map(job => job.deliveryId)).size).toBe(200)
})

test('a job that is in the queue is not added a second time', async ({ environment }) => {
  const { queue } = await openQueue(environment)
  const job = { deliveryId: 'dlv_1', attempt: 1 }
  await queue.add([job, job, { ...job, attempt: 2 }])
  await queue.add([job])
  expect(await queue.counts()).toMatchObject({ waiting: 2 })
})

test('a job that a killed sender left as running does not stand in the way of the one that is added again', async ({
  environment,
}) => {
  const { queue, redis } = await openQueue(environment)
  const job = { deliveryId: 'dlv_1', attempt: 1 }
  const stopping = new AbortController()
  const neverDone = Promise.withResolvers<void>()
  let runs = 0
  const work = async () => void (++runs === 1 && (await neverDone.promise))
  const working = runWorkers(redis, environment.REDIS_KEY_PREFIX!, log, { concurrency: 2, work }, stopping.signal)
  await queue.add([job])
  await eventually(async () => expect(await queue.counts()).toMatchObject({ active: 1 }))
  await queue.add([job])
  expect(await queue.counts()).toMatchObject({ waiting: 0, active: 1 })
  await queue.addAgain([job])
  await eventually(() => expect(runs).toBe(2))
  neverDone.resolve()
  stopping.abort()
  await working
})

async function openQueue(environment: Record<string, string>) {
  const settings = { REDIS_URL: environment.REDIS_URL!, REDIS_TLS_CA: undefined, REDIS_KEY_PREFIX: '' }
  const redis = connectRedis(settings, log, { patient: true })
  const queue = createDeliveryQueue(redis, environment.REDIS_KEY_PREFIX!, log)
  onTestFinished(async () => {
    await queue.close()
    redis.disconnect()
    await loseRedisKeys(environment)
  })
  return { queue, redis }
}
