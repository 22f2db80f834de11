import { randomBytes } from 'node:crypto'
import { hostname } from 'node:os'
import { topics } from '@tocsin/contracts/topics'
import { createKafka } from '@tocsin/kafka/client'
import { consume } from '@tocsin/kafka/consume'
import { createDeadLetters } from '@tocsin/kafka/dead-letters'
import { createKafkaSource } from '@tocsin/kafka/kafkajs-source'
import { createProducer } from '@tocsin/kafka/producer'
import { createKafkaProbe } from '@tocsin/kafka/topics'
import { closeRedis, connectRedis, pingRedis } from '@tocsin/redis/connection'
import { subscribeToSnapshots } from '@tocsin/redis/snapshot-news'
import { serveOps } from '@tocsin/runtime/ops-server'
import type { Service } from '@tocsin/runtime/run-service'
import type { Config } from './config.ts'
import { matchAlerts } from './match-alerts.ts'
import { VersionReporter } from './report-version.ts'
import { SnapshotCache } from './snapshot-cache.ts'

export async function start(service: Service, config: Config): Promise<void> {
  const { log } = service
  const prefix = config.REDIS_KEY_PREFIX
  const redis = connectRedis(config, log)
  service.onStop('redis', () => closeRedis(redis))
  const subscriber = connectRedis(config, log)
  service.onStop('redis subscriber', () => closeRedis(subscriber))
  const kafka = createKafka(config, { clientId: 'tocsin-evaluator', log })
  const producer = createProducer(kafka)
  service.onStop('kafka producer', () => producer.close())
  const kafkaProbe = createKafkaProbe(kafka, [topics.alertsNew, topics.alertsMatched, topics.deadLetters])
  service.onStop('kafka probe', () => kafkaProbe.close())

  const evaluatorId = `${hostname()}-${process.pid}-${randomBytes(3).toString('hex')}`
  const reporter = new VersionReporter(redis, prefix, evaluatorId, log)
  const cache = new SnapshotCache({ redis, prefix, log, onSwap: rules => reporter.report(rules) })
  await serveOps(service, {
    host: config.HOST,
    port: config.PORT,
    status: () => ({ evaluator_id: evaluatorId, ...cache.status() }),
  })
  service.ready('snapshot', () => cache.check())
  await service.waitFor('redis', () => pingRedis(redis))

  service.onStop('evaluator registry', () => reporter.remove())
  service.run('heartbeats', stopping => reporter.keepAlive(stopping))
  subscribeToSnapshots(subscriber, prefix, log, news => cache.wake(news))
  service.run('snapshot', stopping => cache.keepCurrent(stopping))

  await service.waitFor('kafka', () => kafkaProbe.check())
  const source = createKafkaSource(kafka, {
    groupId: kafka.group('evaluator'),
    topics: [kafka.topic(topics.alertsNew)],
  })
  service.ready('kafka', () => source.check())
  const stage = matchAlerts({ cache, producer, topic: kafka.topic(topics.alertsMatched) })
  const reject = createDeadLetters(producer, {
    topic: kafka.topic(topics.deadLetters),
    service: service.name,
    stage: stage.name,
  })
  service.run('alerts', async stopping => {
    // Without rules every alert would be committed as "matches nothing".
    await cache.untilLoaded(stopping)
    await consume(source, stage, { log, stopping, reject })
  })
}
