import { eventually } from '@tocsin/testkit/eventually'
import { startGate, targetOf } from '@tocsin/testkit/gate'
import { hasRedisPairs, startRedisPair } from '@tocsin/testkit/redis-pair'
import { testKafka } from '@tocsin/testkit/test-kafka'
import { expect } from 'vitest'
import { addWebhook, notify, publishReady, statusOf } from './scene.ts'
import { test } from './sender-test.ts'

/** The sender's connections to Redis are not lost, and yet lead nowhere any more. */

const timeout = 60_000
const withinMs = 40_000

test.runIf(hasRedisPairs)(
  'after a failover jobs go through the new primary',
  { timeout },
  async ({ database, environment, webhooks, startSender }) => {
    await using pair = await startRedisPair()
    await startSender({ REDIS_URL: pair.url })
    const notified = await notify(database, [await addWebhook(database, webhooks.url)])
    await pair.failOver()
    await publishReady(testKafka(environment.KAFKA_TOPIC_PREFIX!), [notified])
    await eventually(async () => expect(await statusOf(database, notified)).toBe('delivered'), { withinMs })
  },
)

test('when Redis has vanished without a word, jobs go over new connections', { timeout }, async ({
  database,
  environment,
  webhooks,
  startSender,
}) => {
  await using gate = await startGate(targetOf(environment.REDIS_URL!))
  await gate.open()
  await startSender({ REDIS_URL: `redis://${gate.host}:${gate.port}` })
  const notified = await notify(database, [await addWebhook(database, webhooks.url)])
  gate.freeze()
  await publishReady(testKafka(environment.KAFKA_TOPIC_PREFIX!), [notified])
  await gate.open()
  await eventually(async () => expect(await statusOf(database, notified)).toBe('delivered'), { withinMs })
})
