import { kafkaSettings, kafkaSettingsProblems } from '@tocsin/kafka/settings'
import { postgresSettings } from '@tocsin/postgres/settings'
import { durationMs, processSettings, readSettings, type Settings } from '@tocsin/runtime/config'
import { z } from 'zod'

export const settings = {
  ...processSettings(8083),
  ...kafkaSettings,
  ...postgresSettings,
  SWEEP_AFTER_MS: durationMs()
    .default(30_000)
    .describe('a notification that is this old and still not handed over is published again'),
  NOTIFICATIONS_KEPT_DAYS: z.coerce
    .number()
    .int()
    .min(2)
    .max(3_650)
    .default(30)
    .describe(
      'notifications and their deliveries are dropped when they are older, by whole days; an alert that comes again is known for as long',
    ),
  SWEEP_INTERVAL_MS: durationMs().default(5_000).describe('how often to look for such notifications'),
}

export type Config = Settings<typeof settings>

export const readConfig = (env: NodeJS.ProcessEnv): Config => readSettings(settings, env, kafkaSettingsProblems)
