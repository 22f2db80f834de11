import { topics } from '@tocsin/contracts/topics'
import { cachedKeys } from '@tocsin/http/api-keys'
import { createApp } from '@tocsin/http/app'
import { serveApi } from '@tocsin/http/serve'
import { createKafka, type KafkaClient } from '@tocsin/kafka/client'
import { createProducer } from '@tocsin/kafka/producer'
import { createKafkaProbe } from '@tocsin/kafka/topics'
import { findApiKey } from '@tocsin/postgres/api-keys'
import { Database } from '@tocsin/postgres/database'
import { closeRedis, connectRedis, pingRedis } from '@tocsin/redis/connection'
import type { Service } from '@tocsin/runtime/run-service'
import type { Config } from './config.ts'
import { mirrorDeadLetters } from './dead-letters-mirror.ts'
import { Settler } from './dead-letters-settle.ts'
import { runUpkeep } from './dead-letters-upkeep.ts'
import { outboxChannel } from './outbox.ts'
import { Relay } from './relay.ts'
import { deadLetterRoutes } from './routes/dead-letters.ts'
import { endpointRoutes } from './routes/endpoints.ts'
import { notificationRoutes } from './routes/notifications.ts'
import { ruleVersionRoutes } from './routes/rule-versions.ts'
import { ruleRoutes } from './routes/rules.ts'
import { snapshotRoutes } from './routes/snapshot.ts'
import { teamRoutes } from './routes/teams.ts'
import { liveReader } from './rule-live.ts'
import { snapshotReader } from './snapshot-report.ts'
import { statusReport } from './status.ts'

/** The relay tries again by itself, and people a replay: half of the time that a stop may take is enough for a try. */
const publishDeadlineMs = 5_000

export async function start(service: Service, config: Config): Promise<void> {
  const { log } = service
  const database = new Database(config, log)
  service.onStop('postgres', () => database.close())
  const redis = connectRedis(config, log)
  service.onStop('redis', () => closeRedis(redis))
  const kafka = createKafka(config, { clientId: 'tocsin-rule-service', log })
  const producer = createProducer(kafka, { deadlineMs: publishDeadlineMs })
  service.onStop('kafka producer', () => producer.close())
  const kafkaProbe = createKafkaProbe(kafka, [topics.ruleChanged])
  service.onStop('kafka probe', () => kafkaProbe.close())

  const relay = new Relay({ database, producer, topic: kafka.topic, log })
  const readLive = liveReader(redis, config.REDIS_KEY_PREFIX)
  const app = createApp(service, {
    authenticate: cachedKeys(key => findApiKey(database, key)),
    status: () => statusReport(database),
    routes: [
      ...teamRoutes(database),
      ...endpointRoutes(database, { allowLoopback: config.ALLOW_LOOPBACK_WEBHOOKS }),
      ...ruleRoutes({ database, readLive }),
      ...ruleVersionRoutes(database),
      ...snapshotRoutes(database, snapshotReader(database, redis, config.REDIS_KEY_PREFIX)),
      ...notificationRoutes(database),
      ...deadLetterRoutes(database, new Settler({ database, producer, kafka })),
    ],
  })
  await serveApi(service, config, app)

  await Promise.all([
    // The relay waits for Kafka by itself, and works as soon as there is a database to read from.
    service.waitFor('postgres', () => database.ping()).then(() => runTasks(service, { relay, database, kafka })),
    service.waitFor('kafka', () => kafkaProbe.check()),
    service.waitFor('redis', () => pingRedis(redis)),
  ])
}

function runTasks(
  service: Service,
  { relay, database, kafka }: { relay: Relay; database: Database; kafka: KafkaClient },
) {
  service.run('outbox relay', stopping => relay.run(stopping))
  service.run('outbox notifications', stopping => database.listen(outboxChannel, () => relay.wake(), stopping))
  service.run('dead letters', stopping => mirrorDeadLetters(kafka, database, stopping))
  service.run('dead letters upkeep', stopping => runUpkeep(database, { log: service.log, stopping }))
}
