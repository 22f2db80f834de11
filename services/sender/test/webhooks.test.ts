import { createServer } from 'node:http'
import { type AddressInfo, createServer as createTcpServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { eventually } from '@tocsin/testkit/eventually'
import { testKafka } from '@tocsin/testkit/test-kafka'
import { Webhook } from 'standardwebhooks'
import { expect, onTestFinished } from 'vitest'
import { addWebhook, attemptsOf, deliveriesOf, type Notified, notify, publishReady, secret, statusOf } from './scene.ts'
import { test } from './sender-test.ts'

/** Long enough for a second request that should not come. */
const quietMs = 700

test('a webhook has the body of the contract under headers that the public verifier accepts', async ({
  database,
  environment,
  webhooks,
  startSender,
}) => {
  const endpoint = await addWebhook(database, `${webhooks.url}/hook?team=payments`)
  const notified = await notify(database, [endpoint], { dedup_key: 'db-1', name: 'größer ⚠' })
  await publishReady(testKafka(environment.KAFKA_TOPIC_PREFIX!), [notified])
  await startSender()
  await eventually(async () => expect(await statusOf(database, notified)).toBe('delivered'))

  expect(webhooks.received).toHaveLength(1)
  const { headers, body, path } = webhooks.received[0]!
  const [delivery] = await deliveriesOf(database, notified)
  expect(path).toBe('/hook?team=payments')
  expect(headers).toMatchObject({ 'webhook-id': delivery?.delivery_id, 'content-type': 'application/json' })
  expect(headers['user-agent']).toMatch(/^Tocsin\/\d+\.\d+\.\d+$/)
  expect(new Webhook(secret).verify(body, headers as Record<string, string>)).toEqual({
    type: 'alert.firing',
    timestamp: expect.stringMatching(/^\d{4}-.*Z$/),
    data: {
      notification_id: notified.notificationId,
      team_id: 'payments',
      alert: notified.alert,
      rules: [{ rule_id: 'rul_0', name: 'rule 0', version: 3 }],
    },
  })
  expect(delivery).toMatchObject({ state: 'delivered', attempts: 1, last_error: null })
  expect(await attemptsOf(database, delivery!.delivery_id)).toEqual([
    { attempt: 1, reply_code: 200, reply: null, error_code: null },
  ])
})

test('a resolved alert says so', async ({ database, environment, webhooks, startSender }) => {
  const notified = await notify(database, [await addWebhook(database, webhooks.url)], { status: 'resolved' })
  await publishReady(testKafka(environment.KAFKA_TOPIC_PREFIX!), [notified])
  await startSender()
  await eventually(() => expect(webhooks.received).toHaveLength(1))
  expect(JSON.parse(webhooks.received[0]!.body)).toMatchObject({ type: 'alert.resolved' })
})

test('500 and then 200: told at the second attempt, under the same webhook-id', async ({
  database,
  environment,
  webhooks,
  startSender,
}) => {
  webhooks.answer = () => (webhooks.received.length === 1 ? 500 : 200)
  const notified = await notify(database, [await addWebhook(database, webhooks.url)])
  await publishReady(testKafka(environment.KAFKA_TOPIC_PREFIX!), [notified])
  await startSender()
  await eventually(async () => expect(await statusOf(database, notified)).toBe('delivered'))

  const [first, second] = webhooks.received
  expect(webhooks.received).toHaveLength(2)
  expect(second!.headers['webhook-id']).toBe(first!.headers['webhook-id'])
  expect(second!.body).toBe(first!.body)
  expect(second!.receivedAt - first!.receivedAt).toBeGreaterThan(750)
  const [delivery] = await deliveriesOf(database, notified)
  expect(delivery).toMatchObject({ state: 'delivered', attempts: 2, last_error: null })
  expect(await attemptsOf(database, delivery!.delivery_id)).toMatchObject([
    { attempt: 1, reply_code: 500, error_code: 'http_5xx' },
    { attempt: 2, reply_code: 200, error_code: null },
  ])
})

test('400 is final: one request, delivery and notification failed', async ({
  database,
  environment,
  webhooks,
  startSender,
}) => {
  webhooks.answer = () => 400
  const notified = await notify(database, [await addWebhook(database, webhooks.url)])
  await publishReady(testKafka(environment.KAFKA_TOPIC_PREFIX!), [notified])
  await startSender()
  await eventually(async () => expect(await statusOf(database, notified)).toBe('failed'))
  await sleep(quietMs)
  expect(webhooks.received).toHaveLength(1)
  expect(await deliveriesOf(database, notified)).toMatchObject([
    { state: 'failed', attempts: 1, last_error: 'http_4xx' },
  ])
})

test('one of two endpoints fails for good: partial', async ({ database, environment, webhooks, startSender }) => {
  webhooks.answer = request => (request.path === '/gone' ? 410 : 204)
  const endpoints = [
    await addWebhook(database, `${webhooks.url}/ok`),
    await addWebhook(database, `${webhooks.url}/gone`),
  ]
  const notified = await notify(database, endpoints)
  await publishReady(testKafka(environment.KAFKA_TOPIC_PREFIX!), [notified])
  await startSender()
  await eventually(async () => expect(await statusOf(database, notified)).toBe('partial'))
  expect((await deliveriesOf(database, notified)).map(delivery => delivery.state).toSorted()).toEqual([
    'delivered',
    'failed',
  ])
})

test('a receiver that wants another protocol holds nothing up: its attempts are over at once and repeated', async ({
  database,
  environment,
  startSender,
}) => {
  const server = createTcpServer(socket =>
    socket.end('HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n'),
  )
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close())
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const notified = await notify(database, [await addWebhook(database, url)])
  await publishReady(testKafka(environment.KAFKA_TOPIC_PREFIX!), [notified])
  await startSender()
  await eventually(async () => {
    const [delivery] = await deliveriesOf(database, notified)
    expect(delivery).toMatchObject({ state: 'scheduled', last_error: 'bad_answer' })
    expect(await attemptsOf(database, delivery!.delivery_id)).toMatchObject([{ reply_code: 101 }])
  })
})

test('a redirect is not followed', async ({ database, environment, webhooks, startSender }) => {
  const server = createServer((_, res) => res.writeHead(302, { location: webhooks.url }).end())
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close())
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const notified = await notify(database, [await addWebhook(database, url)])
  await publishReady(testKafka(environment.KAFKA_TOPIC_PREFIX!), [notified])
  await startSender()
  await eventually(async () =>
    expect(await deliveriesOf(database, notified)).toMatchObject([{ state: 'scheduled', last_error: 'http_redirect' }]),
  )
  expect(webhooks.received).toHaveLength(0)
})

test('without leave, nothing on loopback is called', async ({ database, environment, webhooks, startSender }) => {
  const notified = await notify(database, [await addWebhook(database, webhooks.url)])
  await publishReady(testKafka(environment.KAFKA_TOPIC_PREFIX!), [notified])
  await startSender({ ALLOW_LOOPBACK_WEBHOOKS: 'false' })
  await eventually(async () => expect(await statusOf(database, notified)).toBe('failed'))
  expect(webhooks.received).toHaveLength(0)
  expect(await deliveriesOf(database, notified)).toMatchObject([{ last_error: 'target_refused' }])
})

test('of a long answer the first 4 KB are kept, and connections are used again', async ({
  database,
  environment,
  startSender,
}) => {
  const ports = new Set<number | undefined>()
  const server = createServer((req, res) => {
    ports.add(req.socket.remotePort)
    req.resume().on('end', () => res.writeHead(200).end(`\0${'ä'.repeat(5_000)}`))
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close())
  const endpoint = await addWebhook(database, `http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  const notified: Notified[] = []
  for (let i = 0; i < 20; i++) notified.push(await notify(database, [endpoint]))
  await publishReady(testKafka(environment.KAFKA_TOPIC_PREFIX!), notified)
  await startSender({ SENDER_CONCURRENCY: '1' })
  await eventually(async () => {
    for (const one of notified) expect(await statusOf(database, one)).toBe('delivered')
  })
  expect(ports.size).toBe(1)
  const [delivery] = await deliveriesOf(database, notified[0]!)
  const [attempt] = await attemptsOf(database, delivery!.delivery_id)
  expect(attempt?.reply).toMatch(/^\uFFFDä+\uFFFD?$/)
  expect(Buffer.byteLength(attempt!.reply!)).toBeLessThanOrEqual(4_100)
})

test('a stop waits for the requests that are on their way', async ({ database, environment, startSender }) => {
  let requests = 0
  const server = createServer((req, res) => {
    requests++
    req.resume().on('end', () => setTimeout(() => res.writeHead(200).end(), 1_000))
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close())
  const notified = await notify(database, [
    await addWebhook(database, `http://127.0.0.1:${(server.address() as AddressInfo).port}`),
  ])
  await publishReady(testKafka(environment.KAFKA_TOPIC_PREFIX!), [notified])
  const sender = await startSender()
  await eventually(() => expect(requests).toBe(1))
  expect(await sender.stop()).toBeUndefined()
  expect(await statusOf(database, notified)).toBe('delivered')
})
