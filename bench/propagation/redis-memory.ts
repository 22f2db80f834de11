import { closeRedis, connectRedis, pingRedis } from '@tocsin/redis/connection'
import { redisSettings } from '@tocsin/redis/settings'
import { parseSettings } from '@tocsin/runtime/config'
import { createLogger } from '@tocsin/runtime/logger'

/** What Redis takes for the snapshot: keys, values and what it needs to find them, by its own account. */
export async function snapshotBytes(url: string): Promise<number> {
  const parsed = parseSettings(redisSettings, { REDIS_URL: url })
  if ('problems' in parsed) throw new Error(JSON.stringify(parsed.problems))
  const redis = connectRedis(parsed.settings, createLogger('bench', 'silent'))
  try {
    await pingRedis(redis)
    const keys = await redis.keys(`${parsed.settings.REDIS_KEY_PREFIX}snapshot:*`)
    const bytes = await Promise.all(keys.map(key => redis.memory('USAGE', key, 'SAMPLES', 0)))
    return bytes.reduce((sum: number, one) => sum + (one ?? 0), 0)
  } finally {
    await closeRedis(redis)
  }
}
