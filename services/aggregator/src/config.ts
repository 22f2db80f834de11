import { kafkaSettings, kafkaSettingsProblems } from '@tocsin/kafka/settings'
import { postgresSettings } from '@tocsin/postgres/settings'
import { durationMs, processSettings, readSettings, type Settings } from '@tocsin/runtime/config'

export const settings = {
  ...processSettings(8083),
  ...kafkaSettings,
  ...postgresSettings,
  SWEEP_AFTER_MS: durationMs()
    .default(30_000)
    .describe('a notification that is this old and still not handed over is published again'),
  SWEEP_INTERVAL_MS: durationMs().default(5_000).describe('how often to look for such notifications'),
}

export type Config = Settings<typeof settings>

export const readConfig = (env: NodeJS.ProcessEnv): Config => readSettings(settings, env, kafkaSettingsProblems)
