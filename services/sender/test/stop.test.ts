import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { eventually } from '@tocsin/testkit/eventually'
import { type Gate, startGate, targetOf } from '@tocsin/testkit/gate'
import { ServiceProcess } from '@tocsin/testkit/service-process'
import { testKafka } from '@tocsin/testkit/test-kafka'
import { expect, onTestFinished } from 'vitest'
import { addWebhook, attemptsOf, deliveriesOf, notify, publishReady, statusOf } from './scene.ts'
import { test } from './sender-test.ts'

const troubles: [string, (gate: Gate) => Promise<void> | void][] = [
  ['away', gate => gate.close()],
  ['frozen', gate => gate.freeze()],
]

for (const [trouble, disturb] of troubles) {
  test(`while Redis is ${trouble} a stop finishes the attempt under way, and ends`, async ({
    database,
    environment,
    startSender,
  }) => {
    const receiver = await startSlowReceiver(2_000)
    await using gate = await startGate(targetOf(environment.REDIS_URL!))
    await gate.open()
    const sender = await startSender({ REDIS_URL: `redis://${gate.host}:${gate.port}` })
    const notified = await notify(database, [await addWebhook(database, receiver.url)])
    await publishReady(testKafka(environment.KAFKA_TOPIC_PREFIX!), [notified])
    await receiver.called
    await disturb(gate)
    const began = performance.now()
    sender.requestStop()
    expect(await sender.stop()).toBeUndefined()
    expect(performance.now() - began).toBeLessThan(9_000)
    expect(await statusOf(database, notified)).toBe('delivered')
  })
}

test('a stop waits for an attempt longer than for anything else, and it is made once', async ({
  database,
  environment,
}) => {
  const receiver = await startSlowReceiver(3_000)
  const sender = new ServiceProcess('sender', {
    ...environment,
    ALLOW_LOOPBACK_WEBHOOKS: 'true',
    STOP_GRACE_MS: '1000',
  })
  onTestFinished(async () => void (await sender.end('SIGKILL')))
  await sender.start()
  await sender.untilReady()
  const notified = await notify(database, [await addWebhook(database, receiver.url)])
  await publishReady(testKafka(environment.KAFKA_TOPIC_PREFIX!), [notified])
  await receiver.called
  expect(await sender.end('SIGTERM')).toBe(0)
  expect(await statusOf(database, notified)).toBe('delivered')
  const [delivery] = await eventually(() => deliveriesOf(database, notified))
  expect(await attemptsOf(database, delivery!.delivery_id)).toMatchObject([{ reply_code: 200 }])
})

/** Takes its time for every answer. */
async function startSlowReceiver(answerMs: number): Promise<{ url: string; called: Promise<void> }> {
  const { promise: called, resolve } = Promise.withResolvers<void>()
  const server = createServer(async (req, res) => {
    req.resume()
    resolve()
    await sleep(answerMs)
    res.end()
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    server.close()
    server.closeAllConnections()
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, called }
}
