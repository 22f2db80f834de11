import { kafkaSettings, kafkaSettingsProblems } from '@tocsin/kafka/settings'
import { postgresSettings } from '@tocsin/postgres/settings'
import { count, durationMs, processSettings, readSettings, type Settings } from '@tocsin/runtime/config'

export const settings = {
  ...processSettings(8081),
  ...kafkaSettings,
  ...postgresSettings,
  PRODUCE_DEADLINE_MS: durationMs()
    .default(10_000)
    .describe('how long a request waits for Kafka to acknowledge its alerts before it is answered 503'),
  BODY_LIMIT_BYTES: count()
    .default(5 * 1024 * 1024)
    .describe('largest body of a request that brings alerts, unpacked'),
}

export type Config = Settings<typeof settings>

export const readConfig = (env: NodeJS.ProcessEnv): Config => readSettings(settings, env, kafkaSettingsProblems)
