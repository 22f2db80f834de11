import { parseSettings } from '@tocsin/runtime/config'
import { createLogger } from '@tocsin/runtime/logger'
import { createKafka, type KafkaClient } from '../src/client.ts'
import { kafkaSettings } from '../src/settings.ts'

export function brokers(): string {
  const given = process.env.TOCSIN_TEST_KAFKA_BROKERS
  if (given) return given
  throw new Error('TOCSIN_TEST_KAFKA_BROKERS is not set: run this test through ./tocsin test, which starts a broker')
}

export function connect(topicPrefix: string, KAFKA_BROKERS = brokers()): KafkaClient {
  const parsed = parseSettings(kafkaSettings, { KAFKA_BROKERS, KAFKA_TOPIC_PREFIX: topicPrefix })
  if ('problems' in parsed) throw new Error(JSON.stringify(parsed.problems))
  const log = createLogger('test', process.env.LOG_LEVEL ?? 'silent')
  return createKafka(parsed.settings, { clientId: 'kafka-test', log })
}
