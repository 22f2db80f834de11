import { topics } from '@tocsin/contracts/topics'
import { createKafka } from '@tocsin/kafka/client'
import { consume } from '@tocsin/kafka/consume'
import { createDeadLetters } from '@tocsin/kafka/dead-letters'
import { createKafkaSource } from '@tocsin/kafka/kafkajs-source'
import { createProducer } from '@tocsin/kafka/producer'
import { createKafkaProbe } from '@tocsin/kafka/topics'
import { Database } from '@tocsin/postgres/database'
import { serveOps } from '@tocsin/runtime/ops-server'
import type { Service } from '@tocsin/runtime/run-service'
import { createAggregate } from './aggregate.ts'
import type { Config } from './config.ts'
import { statusOfMeters } from './meters.ts'
import { runUpkeep } from './storage-upkeep.ts'
import { createSweep } from './sweep.ts'

export async function start(service: Service, config: Config): Promise<void> {
  const { log } = service
  await serveOps(service, { host: config.HOST, port: config.PORT, status: statusOfMeters })

  const db = new Database(config, log)
  service.onStop('postgres', () => db.close())
  await service.waitFor('postgres', () => db.ping())

  service.run('upkeep', stopping => runUpkeep(db, stopping, { keptDays: config.NOTIFICATIONS_KEPT_DAYS, log }))

  const kafka = createKafka(config, { clientId: 'tocsin-aggregator', log })
  const probe = createKafkaProbe(kafka)
  service.onStop('kafka probe', () => probe.close())
  await service.waitFor('kafka', () => probe.check())

  const producer = createProducer(kafka)
  service.onStop('kafka producer', () => producer.close())
  const ready = kafka.topic(topics.notificationsReady)

  const sweep = createSweep(db, producer, ready, log, {
    afterMs: config.SWEEP_AFTER_MS,
    intervalMs: config.SWEEP_INTERVAL_MS,
  })
  service.run('sweep', stopping => sweep.run(stopping))

  const stage = createAggregate(db, producer, ready)
  const source = createKafkaSource(kafka, {
    groupId: kafka.group('aggregator'),
    topics: [kafka.topic(topics.alertsMatched)],
  })
  const reject = createDeadLetters(producer, {
    topic: kafka.topic(topics.deadLetters),
    service: service.name,
    stage: stage.name,
  })
  service.run('aggregate', stopping => consume(source, stage, { log, stopping, reject }))
  service.ready('consumer', () => source.check())
}
