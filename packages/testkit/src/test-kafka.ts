import { createKafka, type KafkaClient } from '@tocsin/kafka/client'
import { kafkaSettings } from '@tocsin/kafka/settings'
import { parseSettings } from '@tocsin/runtime/config'
import { createLogger } from '@tocsin/runtime/logger'
import { testServers } from './servers.ts'

/** Our own client on the test broker, for topics of one test's own. */
export function testKafka(topicPrefix: string): KafkaClient {
  const env = { KAFKA_BROKERS: testServers().kafkaBrokers, KAFKA_TOPIC_PREFIX: topicPrefix }
  const parsed = parseSettings(kafkaSettings, env)
  if ('problems' in parsed) throw new Error(JSON.stringify(parsed.problems))
  return createKafka(parsed.settings, { clientId: 'tocsin-test', log: createLogger('testkit', 'silent') })
}
