import type { NotificationReady } from '@tocsin/contracts/messages'
import { topics } from '@tocsin/contracts/topics'
import { createKafka, type KafkaClient } from '@tocsin/kafka/client'
import { consume, type Stage } from '@tocsin/kafka/consume'
import { createDeadLetters } from '@tocsin/kafka/dead-letters'
import { createKafkaSource } from '@tocsin/kafka/kafkajs-source'
import { createProducer } from '@tocsin/kafka/producer'
import { createKafkaProbe } from '@tocsin/kafka/topics'
import { Database } from '@tocsin/postgres/database'
import { closeRedis, connectRedis, pingRedis, type Redis } from '@tocsin/redis/connection'
import { serveOps } from '@tocsin/runtime/ops-server'
import type { Service } from '@tocsin/runtime/run-service'
import { type Attempted, claim, record } from './attempts-store.ts'
import { createChannels } from './channels/channels.ts'
import type { Config } from './config.ts'
import { claimMs, createDeliver } from './deliver.ts'
import { countOpenDeliveries, type Job } from './deliveries-store.ts'
import { createDeliveryQueue, runWorkers } from './delivery-queue.ts'
import { createExpand } from './expand.ts'
import { groupCommit } from './group-commit.ts'
import { attemptTotals } from './meters.ts'
import { sweep } from './sweep.ts'

export async function start(service: Service, config: Config): Promise<void> {
  const { log } = service
  const db = new Database(config, log)
  service.onStop('postgres', () => db.close())
  // Two connections: what BullMQ's workers wait on must be patient, what everybody else asks must fail at once.
  const redis = connectRedis(config, log)
  service.onStop('redis', () => closeRedis(redis))
  const patientRedis = connectRedis(config, log, { patient: true })
  service.onStop('redis of the workers', () => closeRedis(patientRedis))
  const queue = createDeliveryQueue(redis, config.REDIS_KEY_PREFIX, log)
  service.onStop('queue', () => queue.close())

  const status = async () => ({
    attempts: await attemptTotals(),
    // Numbers for people, who look when something is away: null instead of no answer at all.
    open_deliveries: await countOpenDeliveries(db).catch(() => null),
    queue: await queue.counts().catch(() => null),
  })
  await serveOps(service, { host: config.HOST, port: config.PORT, status })
  await service.waitFor('postgres', () => db.ping())
  await service.waitFor('redis', () => pingRedis(redis))

  const kafka = createKafka(config, { clientId: 'tocsin-sender', log })
  const probe = createKafkaProbe(kafka)
  service.onStop('kafka probe', () => probe.close())
  await service.waitFor('kafka', () => probe.check())

  attemptDeliveries(service, config, db, patientRedis)
  const leaseMs = config.JOB_LEASE_MS
  service.run('sweep', stopping => sweep(db, queue, log, { intervalMs: config.SWEEP_INTERVAL_MS, leaseMs }, stopping))
  expandNotifications(service, kafka, createExpand(db, queue, log, { leaseMs }))
}

/** Jobs to recipients. */
function attemptDeliveries(service: Service, config: Config, db: Database, redis: Redis): void {
  const { log } = service
  const channels = createChannels(config)
  service.onStop('channels', () => {
    for (const channel of Object.values(channels)) channel.close()
  })
  const deliver = createDeliver({
    claim: groupCommit((jobs: Job[]) => claim(db, jobs, claimMs)),
    record: groupCommit((attempts: Attempted[]) => record(db, attempts)),
    channels,
    log,
    stopping: service.stopping,
  })
  const workers = { concurrency: config.SENDER_CONCURRENCY, work: deliver }
  service.run('workers', stopping => runWorkers(redis, config.REDIS_KEY_PREFIX, log, workers, stopping))
}

/** Kafka to rows and jobs. */
function expandNotifications(service: Service, kafka: KafkaClient, stage: Stage<NotificationReady>): void {
  const { log } = service
  const producer = createProducer(kafka)
  service.onStop('kafka producer', () => producer.close())
  const source = createKafkaSource(kafka, {
    groupId: kafka.group('sender'),
    topics: [kafka.topic(topics.notificationsReady)],
  })
  const reject = createDeadLetters(producer, {
    topic: kafka.topic(topics.deadLetters),
    service: service.name,
    stage: stage.name,
  })
  service.run('expand', stopping => consume(source, stage, { log, stopping, reject }))
  service.ready('consumer', () => source.check())
}
