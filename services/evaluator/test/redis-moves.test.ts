import { closeRedis, connectRedis, type Redis } from '@tocsin/redis/connection'
import { readEvaluators } from '@tocsin/redis/evaluator-registry'
import { createLogger } from '@tocsin/runtime/logger'
import { eventually } from '@tocsin/testkit/eventually'
import { startGate, targetOf } from '@tocsin/testkit/gate'
import { hasRedisPairs, startRedisPair } from '@tocsin/testkit/redis-pair'
import { testServers } from '@tocsin/testkit/servers'
import { expect, onTestFinished } from 'vitest'
import { test } from './evaluator-fixture.ts'
import { publishSnapshot } from './publish-snapshot.ts'
import { anyRule, linesOfRules } from './rules-in-chunks.ts'

/** The evaluator's connections to Redis are not lost, and yet lead nowhere any more. */

test.runIf(hasRedisPairs)(
  'after a failover it takes snapshots from, and tells its version to, the new primary',
  async ({ startEvaluator, prefix }) => {
    await using pair = await startRedisPair()
    const before = await connect(pair.primary)
    await publishSnapshot(before, prefix, linesOfRules([anyRule('rul_1')]), { version: 1 })
    await startEvaluator({ REDIS_URL: pair.url }).untilReady()
    await inUse(before, prefix, 1)

    await pair.failOver()
    const after = await connect(pair.primary)
    await publishSnapshot(after, prefix, linesOfRules([anyRule('rul_2')]), { version: 2 })
    await inUse(after, prefix, 2)
  },
)

test('when Redis has vanished without a word, it goes on over new connections', async ({
  startEvaluator,
  publishRules,
  redis,
  prefix,
}) => {
  await using gate = await startGate(targetOf(testServers().redisUrl))
  await gate.open()
  await publishRules(1, [anyRule('rul_1')])
  const evaluator = startEvaluator({ REDIS_URL: `redis://${gate.host}:${gate.port}` })
  await evaluator.untilReady()
  await inUse(redis, prefix, 1)

  gate.freeze()
  await publishRules(2, [anyRule('rul_2')])
  await gate.open()
  await inUse(redis, prefix, 2)
  await evaluator.untilReady()
})

async function connect({ host, port }: { host: string; port: number }): Promise<Redis> {
  const settings = { REDIS_URL: `redis://${host}:${port}`, REDIS_TLS_CA: undefined, REDIS_KEY_PREFIX: '' }
  const redis = connectRedis(settings, createLogger('evaluator test', 'silent'))
  onTestFinished(() => closeRedis(redis))
  await new Promise(resolve => redis.once('ready', resolve))
  return redis
}

const inUse = (redis: Redis, prefix: string, version: number): Promise<void> =>
  eventually(async () => {
    const evaluators = await readEvaluators(redis, prefix)
    expect(evaluators.map(evaluator => evaluator.snapshot_version)).toEqual([version])
  })
