import { kafkaSettings } from '@tocsin/kafka/settings'
import { postgresSettings } from '@tocsin/postgres/settings'
import { redisSettings } from '@tocsin/redis/settings'
import { processSettings, type Settings } from '@tocsin/runtime/config'

export const settings = { ...processSettings(8085), ...kafkaSettings, ...postgresSettings, ...redisSettings }

export type Config = Settings<typeof settings>
