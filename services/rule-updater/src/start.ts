import { decodeMessage } from '@tocsin/contracts/decode'
import { type RuleChanged, ruleChangedSchema } from '@tocsin/contracts/messages'
import { topics } from '@tocsin/contracts/topics'
import { createKafka } from '@tocsin/kafka/client'
import { consume, type Stage } from '@tocsin/kafka/consume'
import { createDeadLetters } from '@tocsin/kafka/dead-letters'
import { createKafkaSource } from '@tocsin/kafka/kafkajs-source'
import { createProducer } from '@tocsin/kafka/producer'
import { createKafkaProbe } from '@tocsin/kafka/topics'
import { Database } from '@tocsin/postgres/database'
import { closeRedis, connectRedis, pingRedis } from '@tocsin/redis/connection'
import { serveOps } from '@tocsin/runtime/ops-server'
import type { Service } from '@tocsin/runtime/run-service'
import { buildSnapshot, isBehind, type Places } from './build-snapshot.ts'
import type { Config } from './config.ts'
import { keepCurrent } from './keep-current.ts'
import { SnapshotPublisher } from './publish-snapshot.ts'

export async function start(service: Service, config: Config): Promise<void> {
  const { log } = service
  const database = new Database(config, log)
  service.onStop('postgres', () => database.close())
  const redis = connectRedis(config, log)
  service.onStop('redis', () => closeRedis(redis))
  const kafka = createKafka(config, { clientId: 'tocsin-rule-updater', log })
  const producer = createProducer(kafka)
  service.onStop('kafka producer', () => producer.close())
  const kafkaProbe = createKafkaProbe(kafka, [topics.ruleChanged, topics.deadLetters])
  service.onStop('kafka probe', () => kafkaProbe.close())

  const places: Places = { database, redis, prefix: config.REDIS_KEY_PREFIX, log }
  const publisher = new SnapshotPublisher(() => buildSnapshot(places), log)
  await serveOps(service, { host: config.HOST, port: config.PORT, status: () => publisher.status() })
  service.ready('snapshot', () => publisher.check())
  service.ready('kafka', () => kafkaProbe.check())
  await Promise.all([
    service.waitFor('postgres', () => database.ping()),
    service.waitFor('redis', () => pingRedis(redis)),
  ])
  // Snapshots do not need Kafka: while it is away, changes are found by looking.
  const publish = () => publisher.publish()
  service.run('keep current', stopping => keepCurrent({ isBehind: () => isBehind(places), publish, log }, stopping))

  await service.waitFor('kafka', () => kafkaProbe.check())
  const source = createKafkaSource(kafka, {
    groupId: kafka.group('rule-updater'),
    topics: [kafka.topic(topics.ruleChanged)],
  })
  service.ready('kafka', () => source.check())
  const stage = wakeUps(publish)
  const reject = createDeadLetters(producer, {
    topic: kafka.topic(topics.deadLetters),
    service: service.name,
    stage: stage.name,
  })
  service.run('rule changes', stopping => consume(source, stage, { log, stopping, reject }))
}

/** An event says that something changed; what, is read from Postgres. However many came together, one snapshot. */
function wakeUps(publish: () => Promise<void>): Stage<RuleChanged> {
  return {
    name: 'rule changes',
    decode: record => decodeMessage(ruleChangedSchema, record.value),
    handle: publish,
  }
}
