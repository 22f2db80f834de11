import { partitionsPerTopic } from '@tocsin/contracts/topics'
import { partitionOf } from '@tocsin/kafka/partition-of'
import { ServiceProcess } from '@tocsin/testkit/service-process'
import type { StackClient } from '../../scripts/cli/stack-client.ts'

export const scalable = ['evaluator', 'aggregator', 'sender'] as const

export type Scalable = (typeof scalable)[number]

/** One more beside that of the stack, with the same servers; ready when it has its partitions. */
export async function startMember(service: Scalable, { urls }: StackClient): Promise<ServiceProcess> {
  const member = new ServiceProcess(service, {
    KAFKA_BROKERS: urls.kafka_brokers,
    DATABASE_URL: urls.database_url,
    REDIS_URL: urls.redis_url,
    ALLOW_LOOPBACK_WEBHOOKS: 'true',
    HOST: '127.0.0.1',
    LOG_LEVEL: 'info',
  })
  await member.start()
  await member.untilReady()
  return member
}

/** The partition, of the topic that the service reads, which an alert of this team goes through. */
export function laneOf(service: Scalable, team: string, alertId: string): number {
  const key = service === 'evaluator' ? alertId : `${team}:${alertId}`
  return partitionOf(Buffer.from(key), partitionsPerTopic)
}
