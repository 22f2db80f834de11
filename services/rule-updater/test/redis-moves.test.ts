import { closeRedis, connectRedis, type Redis } from '@tocsin/redis/connection'
import { createLogger } from '@tocsin/runtime/logger'
import { startGate, targetOf } from '@tocsin/testkit/gate'
import { hasRedisPairs, startRedisPair } from '@tocsin/testkit/redis-pair'
import { testServers } from '@tocsin/testkit/servers'
import { type InProcess, startInProcess } from '@tocsin/testkit/service-in-process'
import { settings } from '../src/config.ts'
import { start } from '../src/start.ts'
import { test as base, editRules, flush, insertRules, upToDate } from './private-places.ts'

/** The updater's connection to Redis is not lost, and yet leads nowhere any more. */
interface Fixtures {
  prefix: string
  /** Follows this Redis until the test ends. */
  startUpdater: (redisUrl: string) => InProcess
  /** Closed when the test ends. */
  connect: (at: { host: string; port: number }) => Redis
}

const test = base.extend<Fixtures>({
  prefix: async ({ environment, redis }, use) => {
    const prefix = environment.REDIS_KEY_PREFIX!
    await use(prefix)
    await flush(redis, prefix)
  },

  startUpdater: async ({ environment }, use) => {
    const started: InProcess[] = []
    await use(redisUrl => {
      const updater = startInProcess('rule-updater', start, settings, { ...environment, REDIS_URL: redisUrl })
      started.push(updater)
      return updater
    })
    await Promise.all(started.map(updater => updater.stop()))
  },

  // biome-ignore lint/correctness/noEmptyPattern: vitest reads the names of the fixtures that a fixture needs from here
  connect: async ({}, use) => {
    const connected: Redis[] = []
    await use(({ host, port }) => {
      const url = `redis://${host}:${port}`
      const log = createLogger('rule-updater test', 'silent')
      const redis = connectRedis({ REDIS_URL: url, REDIS_TLS_CA: undefined, REDIS_KEY_PREFIX: '' }, log)
      connected.push(redis)
      return redis
    })
    await Promise.all(connected.map(closeRedis))
  },
})

test.runIf(hasRedisPairs)(
  'after a failover it publishes at the new primary',
  async ({ startUpdater, connect, database, prefix }) => {
    await using pair = await startRedisPair()
    const updater = startUpdater(pair.url)
    await updater.untilReady()
    await insertRules(database, ['rul_1'])
    await upToDate(database, connect(pair.primary), prefix)

    await pair.failOver()
    await editRules(database, ['rul_1'])
    await insertRules(database, ['rul_2'])
    await upToDate(database, connect(pair.primary), prefix)
    await updater.untilReady()
  },
)

test('when Redis has vanished without a word, it publishes over a new connection', async ({
  startUpdater,
  database,
  redis,
  prefix,
}) => {
  await using gate = await startGate(targetOf(testServers().redisUrl))
  await gate.open()
  const updater = startUpdater(`redis://${gate.host}:${gate.port}`)
  await updater.untilReady()
  await insertRules(database, ['rul_1'])
  await upToDate(database, redis, prefix)

  gate.freeze()
  await insertRules(database, ['rul_2'])
  await gate.open()
  await upToDate(database, redis, prefix)
  await updater.untilReady()
})
