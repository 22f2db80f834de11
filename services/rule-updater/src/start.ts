import { hostname } from 'node:os'
import { topics } from '@tocsin/contracts/topics'
import { createKafka } from '@tocsin/kafka/client'
import { createProducer } from '@tocsin/kafka/producer'
import { createKafkaProbe } from '@tocsin/kafka/topics'
import { Database } from '@tocsin/postgres/database'
import { closeRedis, connectRedis, pingRedis } from '@tocsin/redis/connection'
import { serveOps } from '@tocsin/runtime/ops-server'
import type { Service } from '@tocsin/runtime/run-service'
import type { Config } from './config.ts'
import { Leadership } from './leadership.ts'
import { RuleChanges } from './rule-changes.ts'
import { statusReport } from './status.ts'

/** Of statements that take a second at most: each reads a page or stamps one, and a leader that hangs publishes nothing. */
const queryMs = 8_000

/** In a connection that is dead without a word a leader loses one renewal, and a standby a few asks, and not 30 s. */
const leaseTimeouts = { connectMs: 2_000, queryMs: 2_000 }

export async function start(service: Service, config: Config): Promise<void> {
  const { log } = service
  const database = new Database(config, log, { queryMs })
  service.onStop('postgres', () => database.close())
  const leaseDatabase = new Database({ ...config, DATABASE_POOL_SIZE: 1 }, log, leaseTimeouts)
  service.onStop('postgres of the lease', () => leaseDatabase.close())
  const redis = connectRedis(config, log)
  service.onStop('redis', () => closeRedis(redis))
  const kafka = createKafka(config, { clientId: 'tocsin-rule-updater', log })
  const producer = createProducer(kafka)
  service.onStop('kafka producer', () => producer.close())
  const kafkaProbe = createKafkaProbe(kafka, [topics.ruleChanged, topics.deadLetters])
  service.onStop('kafka probe', () => kafkaProbe.close())

  const changes = new RuleChanges(service, kafka, producer)
  const leadership = new Leadership({
    places: { database, redis, prefix: config.REDIS_KEY_PREFIX, log },
    leaseDatabase,
    listen: (wake, stopping) => changes.listen(wake, stopping),
    name: `${hostname()}-${process.pid}`,
  })
  const status = () => statusReport(database, leadership)
  await serveOps(service, { host: config.HOST, port: config.PORT, status })
  service.ready('snapshot', () => leadership.check())
  service.ready('kafka', () => kafkaProbe.check())
  await Promise.all([
    service.waitFor('postgres', () => database.ping()),
    service.waitFor('redis', () => pingRedis(redis)),
  ])
  // Snapshots do not need Kafka: while it is away, changes are found by looking.
  service.run('leadership', stopping => leadership.run(stopping))

  await service.waitFor('kafka', () => kafkaProbe.check())
  service.ready('kafka', () => changes.check())
}
