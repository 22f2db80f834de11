import type { Topic } from '@tocsin/contracts/topics'
import { topicName } from '@tocsin/contracts/topics'
import type { Logger } from '@tocsin/runtime/logger'
import { type KafkaAddress, type KafkaSettings, kafkaAddress } from './settings.ts'

/** A cluster and our place in it. It holds no connection: sources, producers and probes each make their own. */
export interface KafkaClient {
  readonly address: KafkaAddress
  readonly clientId: string
  readonly topicPrefix: string
  readonly log: Logger
  /** The name of one of our topics on this cluster. */
  topic(topic: Topic): string
  /** The name of a consumer group on this cluster. */
  group(name: string): string
}

/** Throws `bad_settings` when the settings contradict each other. `clientId` is what brokers log and count us by. */
export function createKafka(
  settings: KafkaSettings,
  { clientId, log }: { clientId: string; log: Logger },
): KafkaClient {
  const topicPrefix = settings.KAFKA_TOPIC_PREFIX
  return {
    address: kafkaAddress(settings),
    clientId,
    topicPrefix,
    log,
    topic: topic => topicName(topicPrefix, topic),
    group: name => `${topicPrefix}${name}`,
  }
}
