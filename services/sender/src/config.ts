import { kafkaSettings, kafkaSettingsProblems } from '@tocsin/kafka/settings'
import { postgresSettings } from '@tocsin/postgres/settings'
import { redisSettings } from '@tocsin/redis/settings'
import {
  count,
  durationMs,
  processSettings,
  readSettings,
  type Settings,
  webhookSettings,
} from '@tocsin/runtime/config'
import { z } from 'zod'

export const settings = {
  ...processSettings(8084),
  ...kafkaSettings,
  ...postgresSettings,
  ...redisSettings,
  SMTP_URL: z
    .url({ protocol: /^smtps?$/, error: 'must be an smtp:// or smtps:// URL' })
    .default('smtp://localhost:1025')
    .describe('the mail server; smtps:// is TLS from the start, user and password go into the URL'),
  SMTP_CONNECTIONS: count().default(10).describe('connections to the mail server that one sender keeps at most'),
  MAIL_FROM: z
    .string()
    .regex(/^[^\r\n]*[^\s@<>]+@[^\s@<>]+>?$/, 'must be an address, or a name and an <address>')
    .default('Tocsin <tocsin@localhost>')
    .describe('who mails are from'),
  ...webhookSettings,
  SENDER_CONCURRENCY: count().default(50).describe('attempts that one sender makes at the same time'),
  SWEEP_INTERVAL_MS: durationMs().default(500).describe('how often to look for deliveries that are due'),
  JOB_LEASE_MS: durationMs()
    .default(30_000)
    .describe('how long a job may wait in Redis before its delivery is given another one'),
}

export type Config = Settings<typeof settings>

export const readConfig = (env: NodeJS.ProcessEnv): Config => readSettings(settings, env, kafkaSettingsProblems)
