import { kafkaSettings, kafkaSettingsProblems } from '@tocsin/kafka/settings'
import { redisSettings } from '@tocsin/redis/settings'
import { processSettings, readSettings, type Settings } from '@tocsin/runtime/config'

export const settings = { ...processSettings(8082), ...kafkaSettings, ...redisSettings }

export type Config = Settings<typeof settings>

export const readConfig = (env: NodeJS.ProcessEnv): Config => readSettings(settings, env, kafkaSettingsProblems)
