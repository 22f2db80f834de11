import { readFileSync } from 'node:fs'
import { flag, type Secret, type Settings, type SettingsProblem, secret } from '@tocsin/runtime/config'
import { AppError, messageOf } from '@tocsin/runtime/errors'
import { z } from 'zod'

export const saslMechanisms = ['plain', 'scram-sha-256', 'scram-sha-512'] as const

const brokerList = z
  .string()
  .transform(list => list.split(',').map(broker => broker.trim()))
  .refine(brokers => brokers.every(broker => /^(\[[0-9a-fA-F:]+\]|[^\s:/]+):\d{1,5}$/.test(broker)), {
    error: 'must be host:port, or several of them with commas between',
  })

/** The settings of every service that uses Kafka; spread into the service's own shape. */
export const kafkaSettings = {
  KAFKA_BROKERS: brokerList.default(['localhost:9092']).describe('host:port of one or more brokers, comma separated'),
  KAFKA_TOPIC_PREFIX: z
    .string()
    .regex(/^[a-zA-Z0-9._-]{0,64}$/, { error: 'must be letters, digits, dots, dashes and underscores' })
    .default('')
    .describe('put before every topic and group name, so that installations can share a cluster'),
  KAFKA_TLS: flag().default(false).describe('connect to the brokers with TLS'),
  KAFKA_TLS_CA: z.string().optional().describe('PEM file of the authority that signed the brokers’ certificates'),
  KAFKA_SASL_MECHANISM: z
    .enum(saslMechanisms)
    .optional()
    .describe(`SASL login: ${saslMechanisms.join(', ')}`),
  KAFKA_SASL_USERNAME: z.string().optional().describe('SASL user'),
  KAFKA_SASL_PASSWORD: secret().optional().describe('SASL password'),
}

export type KafkaSettings = Settings<typeof kafkaSettings>

/** How to reach the brokers, whichever client does it. */
export interface KafkaAddress {
  brokers: string[]
  tls?: { ca?: string }
  sasl?: { mechanism: (typeof saslMechanisms)[number]; username: string; password: Secret }
}

/** What is wrong between settings that are right one by one: for `readSettings` of a service. */
export function kafkaSettingsProblems(settings: Partial<KafkaSettings>): SettingsProblem[] {
  const problems: SettingsProblem[] = []
  const { KAFKA_SASL_MECHANISM: mechanism, KAFKA_SASL_USERNAME: username, KAFKA_SASL_PASSWORD: password } = settings
  if (mechanism !== undefined) {
    if (username === undefined) problems.push({ setting: 'KAFKA_SASL_USERNAME', message: `is needed for ${mechanism}` })
    if (password === undefined) problems.push({ setting: 'KAFKA_SASL_PASSWORD', message: `is needed for ${mechanism}` })
  } else if (username !== undefined || password !== undefined) {
    problems.push({ setting: 'KAFKA_SASL_MECHANISM', message: 'is needed, as a SASL user or password is set' })
  }
  if (settings.KAFKA_TLS_CA !== undefined && !settings.KAFKA_TLS) {
    problems.push({ setting: 'KAFKA_TLS', message: 'must be true, as KAFKA_TLS_CA is set' })
  } else {
    readAuthority(settings.KAFKA_TLS_CA, problems)
  }
  return problems
}

export function kafkaAddress(settings: KafkaSettings): KafkaAddress {
  const problems = kafkaSettingsProblems(settings)
  if (problems.length > 0) {
    const text = problems.map(({ setting, message }) => `${setting} ${message}`).join('; ')
    throw new AppError('bad_settings', `The Kafka settings do not fit together: ${text}`, { details: problems })
  }
  const ca = readAuthority(settings.KAFKA_TLS_CA, problems)
  const { KAFKA_SASL_MECHANISM: mechanism, KAFKA_SASL_USERNAME: username, KAFKA_SASL_PASSWORD: password } = settings
  return {
    brokers: settings.KAFKA_BROKERS,
    ...(settings.KAFKA_TLS && { tls: ca === undefined ? {} : { ca } }),
    ...(mechanism && username && password && { sasl: { mechanism, username, password } }),
  }
}

function readAuthority(file: string | undefined, problems: SettingsProblem[]): string | undefined {
  if (file === undefined) return undefined
  try {
    const pem = readFileSync(file, 'utf8')
    if (pem.includes('-----BEGIN CERTIFICATE-----')) return pem
    problems.push({ setting: 'KAFKA_TLS_CA', message: `names ${file}, which holds no PEM certificate` })
  } catch (error) {
    problems.push({ setting: 'KAFKA_TLS_CA', message: `cannot be read: ${messageOf(error)}` })
  }
  return undefined
}
