import { randomBytes } from 'node:crypto'
import { createLogger } from '@tocsin/runtime/logger'
import { testServers } from '@tocsin/testkit/servers'
import { test as base } from 'vitest'
import { closeRedis, connectRedis, type Redis } from '../src/connection.ts'

interface Fixtures {
  /** Another connection to the test's Redis, closed when the test ends. */
  connect: () => Promise<Redis>
  redis: Redis
  /** In front of all keys of this test; they are deleted when it ends. */
  prefix: string
}

export const log = createLogger('redis test', 'silent')

export const test = base.extend<Fixtures>({
  // biome-ignore lint/correctness/noEmptyPattern: vitest reads the names of the fixtures that a fixture needs from here
  connect: async ({}, use) => {
    const open: Redis[] = []
    await use(async () => {
      const redis = connectRedis(
        { REDIS_URL: testServers().redisUrl, REDIS_TLS_CA: undefined, REDIS_KEY_PREFIX: '' },
        log,
      )
      open.push(redis)
      await new Promise(resolve => redis.once('ready', resolve))
      return redis
    })
    await Promise.all(open.map(closeRedis))
  },

  redis: async ({ connect }, use) => use(await connect()),

  prefix: async ({ redis }, use) => {
    const prefix = `test-${randomBytes(5).toString('hex')}:`
    await use(prefix)
    await deleteKeys(redis, prefix)
  },
})

/** What a flush does to one installation of those that share a Redis. */
export async function deleteKeys(redis: Redis, prefix: string): Promise<void> {
  for await (const keys of redis.scanStream({ match: `${prefix}*`, count: 1_000 })) {
    if (keys.length > 0) await redis.del(...keys)
  }
}
