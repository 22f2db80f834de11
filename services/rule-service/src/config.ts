import { kafkaSettings } from '@tocsin/kafka/settings'
import { postgresSettings } from '@tocsin/postgres/settings'
import { redisSettings } from '@tocsin/redis/settings'
import { flag, processSettings, type Settings } from '@tocsin/runtime/config'

export const settings = {
  ...processSettings(8080),
  ...kafkaSettings,
  ...postgresSettings,
  ...redisSettings,
  ALLOW_LOOPBACK_WEBHOOKS: flag()
    .default(false)
    .describe('whether webhooks may go to this very machine, and there over plain http; for local runs only'),
}

export type Config = Settings<typeof settings>
