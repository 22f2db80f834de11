import { createKafka, type KafkaClient } from '@tocsin/kafka/client'
import { createProducer, type Producer } from '@tocsin/kafka/producer'
import { kafkaSettings } from '@tocsin/kafka/settings'
import { parseSettings } from '@tocsin/runtime/config'
import { createLogger } from '@tocsin/runtime/logger'

/** The broker of the running stack, as one more producer sees it. The caller closes the producer. */
export function openProducer(brokers: string): { kafka: KafkaClient; producer: Producer } {
  const parsed = parseSettings(kafkaSettings, { KAFKA_BROKERS: brokers })
  if ('problems' in parsed) throw new Error(JSON.stringify(parsed.problems))
  const kafka = createKafka(parsed.settings, { clientId: 'tocsin-bench', log: createLogger('bench', 'silent') })
  return { kafka, producer: createProducer(kafka) }
}
