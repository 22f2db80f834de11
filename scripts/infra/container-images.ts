import type { PartName } from './infra-part.ts'
import { brokerSettings } from './kafka.ts'
import { noDurability } from './postgres.ts'
import { type Address, kafkaAnswers, postgresAnswers, redisAnswers } from './probes.ts'

export type ContainedPart = Exclude<PartName, 'mail'>

export interface ServerImage {
  readonly image: string
  readonly port: number
  readonly dataFolder: string
  readonly command: (fsync: boolean) => string[]
  /** `address` is where clients will find it. */
  readonly environment: (address: Address) => Record<string, string>
  readonly settings: (address: Address) => Record<string, string>
  readonly answers: (address: Address) => Promise<boolean>
}

const kafkaData = '/var/lib/kafka/data'

export const images: Readonly<Record<ContainedPart, ServerImage>> = {
  postgres: {
    image: 'postgres:17-alpine',
    port: 5432,
    dataFolder: '/var/lib/postgresql/data',
    command: fsync => ['postgres', '-c', 'max_connections=300', ...(fsync ? [] : noDurability.flatMap(s => ['-c', s]))],
    environment: () => ({ POSTGRES_USER: 'tocsin', POSTGRES_PASSWORD: 'tocsin', POSTGRES_DB: 'tocsin' }),
    settings: ({ host, port }) => ({ DATABASE_URL: `postgres://tocsin:tocsin@${host}:${port}/tocsin` }),
    answers: postgresAnswers,
  },
  kafka: {
    image: 'apache/kafka:4.3.1',
    port: 9092,
    dataFolder: kafkaData,
    command: () => [],
    environment: ({ host, port }) => ({
      KAFKA_HEAP_OPTS: '-Xmx512m',
      ...asVariables(
        brokerSettings({
          logFolder: kafkaData,
          listen: '0.0.0.0:9092',
          advertise: `${host}:${port}`,
          controller: 'localhost:9093',
        }),
      ),
    }),
    settings: ({ host, port }) => ({ KAFKA_BROKERS: `${host}:${port}` }),
    answers: kafkaAnswers,
  },
  redis: {
    image: 'redis:8-alpine',
    port: 6379,
    dataFolder: '/data',
    command: () => ['redis-server', '--bind', '0.0.0.0', '--protected-mode', 'no', '--dir', '/data', '--save', '900 1'],
    environment: () => ({}),
    settings: ({ host, port }) => ({ REDIS_URL: `redis://${host}:${port}` }),
    answers: redisAnswers,
  },
}

/** How the image takes settings: `log.dirs` as KAFKA_LOG_DIRS. */
function asVariables(settings: Record<string, string | number | boolean>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(settings).map(([name, value]) => [
      `KAFKA_${name.toUpperCase().replaceAll('.', '_')}`,
      String(value),
    ]),
  )
}
