import { kafkaSettings, kafkaSettingsProblems } from '@tocsin/kafka/settings'
import { postgresSettings } from '@tocsin/postgres/settings'
import { redisSettings } from '@tocsin/redis/settings'
import { count, processSettings, readSettings, type Settings } from '@tocsin/runtime/config'

export const settings = {
  ...processSettings(8085),
  ...kafkaSettings,
  ...postgresSettings,
  DATABASE_POOL_SIZE: count()
    .min(2, 'must be at least 2: a comparison of everything takes one for seconds, and changes go on meanwhile')
    .default(10)
    .describe('connections that one process opens at most, at least 2, beside one for the lease'),
  ...redisSettings,
}

export type Config = Settings<typeof settings>

export const readConfig = (env: NodeJS.ProcessEnv): Config => readSettings(settings, env, kafkaSettingsProblems)
