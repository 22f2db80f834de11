import { topics } from '@tocsin/contracts/topics'
import { cachedKeys } from '@tocsin/http/api-keys'
import { createApp } from '@tocsin/http/app'
import { serveApi } from '@tocsin/http/serve'
import { createKafka } from '@tocsin/kafka/client'
import { createProducer } from '@tocsin/kafka/producer'
import { createKafkaProbe } from '@tocsin/kafka/topics'
import { findApiKey } from '@tocsin/postgres/api-keys'
import { Database } from '@tocsin/postgres/database'
import type { Service } from '@tocsin/runtime/run-service'
import type { Config } from './config.ts'
import { createIngest } from './ingest.ts'
import { alertRoutes } from './routes.ts'

export async function start(service: Service, config: Config): Promise<void> {
  const { log } = service
  const database = new Database(config, log)
  service.onStop('postgres', () => database.close())
  const kafka = createKafka(config, { clientId: 'tocsin-alert-producer', log })
  const producer = createProducer(kafka, { deadlineMs: config.PRODUCE_DEADLINE_MS })
  service.onStop('kafka producer', () => producer.close())
  const kafkaProbe = createKafkaProbe(kafka, [topics.alertsNew])
  service.onStop('kafka probe', () => kafkaProbe.close())

  const ingest = createIngest(producer, kafka.topic(topics.alertsNew))
  const app = createApp(service, {
    authenticate: cachedKeys(key => findApiKey(database, key)),
    routes: alertRoutes(ingest),
    bodyLimitBytes: config.BODY_LIMIT_BYTES,
  })
  await serveApi(service, config, app)

  await Promise.all([
    service.waitFor('postgres', () => database.ping()),
    service.waitFor('kafka', () => kafkaProbe.check()),
  ])
}
