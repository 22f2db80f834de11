import { kafkaSettings } from '@tocsin/kafka/settings'
import { redisSettings } from '@tocsin/redis/settings'
import { processSettings, type Settings } from '@tocsin/runtime/config'

export const settings = { ...processSettings(8082), ...kafkaSettings, ...redisSettings }

export type Config = Settings<typeof settings>
