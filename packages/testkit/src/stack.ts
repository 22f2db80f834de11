import { randomBytes } from 'node:crypto'
import { createTopics, deleteTopics } from '@tocsin/kafka/topics'
import { newApiKey, saveApiKey } from '@tocsin/postgres/api-keys'
import type { Database } from '@tocsin/postgres/database'
import { callApi } from './call-api.ts'
import { createPrivateDatabase, openDatabase } from './private-database.ts'
import { testServers } from './servers.ts'
import { ServiceProcess } from './service-process.ts'
import { testKafka } from './test-kafka.ts'

export const serviceNames = [
  'rule-service',
  'rule-updater',
  'evaluator',
  'aggregator',
  'sender',
  'alert-producer',
] as const
export type ServiceName = (typeof serviceNames)[number]

export interface Stack {
  services: Record<ServiceName, ServiceProcess>
  database: Database
  topicPrefix: string
  adminKey: string
  /** A request to rule-service, or to alert-producer when the path says /alerts. */
  call(method: string, path: string, body?: unknown): Promise<{ status: number; body: never }>
  untilReady(): Promise<void>
  recentLogs(): string
  stop(): Promise<void>
}

/** Settings that point a service at the test servers, under names that nobody else has. */
export function privateEnvironment(databaseUrl: string): Record<string, string> {
  const { kafkaBrokers, redisUrl, smtpUrl } = testServers()
  const prefix = `test-${randomBytes(5).toString('hex')}.`
  return {
    KAFKA_BROKERS: kafkaBrokers,
    KAFKA_TOPIC_PREFIX: prefix,
    DATABASE_URL: databaseUrl,
    REDIS_URL: redisUrl,
    REDIS_KEY_PREFIX: prefix,
    SMTP_URL: smtpUrl,
    HOST: '127.0.0.1',
    PORT: '0',
    ALLOW_LOOPBACK_WEBHOOKS: 'true',
    LOG_LEVEL: 'info',
  }
}

/** All six services as processes, connected through a database, topics and keys of this stack's own. */
export async function startStack(settings: Record<string, string> = {}): Promise<Stack> {
  const { url, drop } = await createPrivateDatabase()
  const environment = { ...privateEnvironment(url), ...settings }
  const topicPrefix = environment.KAFKA_TOPIC_PREFIX ?? ''
  const database = openDatabase(url)
  const adminKey = newApiKey()
  await saveApiKey(database, adminKey, { key_id: 'key_test', name: 'test' })
  const kafka = testKafka(topicPrefix)
  await createTopics(kafka)

  const processes = serviceNames.map(name => [name, new ServiceProcess(name, environment)] as const)
  const services = Object.fromEntries(processes) as Record<ServiceName, ServiceProcess>
  const each = <T>(work: (service: ServiceProcess) => Promise<T>) =>
    Promise.all(processes.map(([, service]) => work(service)))
  const stop = async () => {
    await each(service => service.end('SIGTERM'))
    await database.close()
    await deleteTopics(kafka)
    await drop()
  }
  try {
    await each(service => service.start())
    await each(service => service.untilReady())
  } catch (error) {
    await stop()
    throw error
  }

  return {
    services,
    database,
    topicPrefix,
    adminKey,
    call: (...request) => {
      const [ruleService, alertProducer] = [services['rule-service'].url, services['alert-producer'].url]
      return callApi({ ruleService, alertProducer, key: adminKey })(...request)
    },
    untilReady: async () => void (await each(service => service.untilReady())),
    recentLogs: () => processes.map(([, service]) => service.recentLog()).join('\n'),
    stop,
  }
}
