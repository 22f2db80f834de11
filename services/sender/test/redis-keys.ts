import { closeRedis, connectRedis } from '@tocsin/redis/connection'
import { createLogger } from '@tocsin/runtime/logger'

/** What a flush, or a Redis that came back empty, does to one installation of those that share a Redis. */
export async function loseRedisKeys(environment: Record<string, string>): Promise<number> {
  const prefix = environment.REDIS_KEY_PREFIX!
  const redis = connectRedis(
    { REDIS_URL: environment.REDIS_URL!, REDIS_TLS_CA: undefined, REDIS_KEY_PREFIX: prefix },
    createLogger('test', 'silent'),
    { patient: true },
  )
  let lost = 0
  for await (const keys of redis.scanStream({ match: `${prefix}*`, count: 1_000 })) {
    if (keys.length > 0) lost += await redis.del(...keys)
  }
  await closeRedis(redis)
  return lost
}
