import { randomBytes } from 'node:crypto'
import { closeRedis, connectRedis, type Redis } from '@tocsin/redis/connection'
import { createLogger, type Logger } from '@tocsin/runtime/logger'
import { metrics } from '@tocsin/runtime/metrics'
import { eventually } from '@tocsin/testkit/eventually'
import { testServers } from '@tocsin/testkit/servers'
import { test as base, expect } from 'vitest'
import { SnapshotCache, type SnapshotCacheOptions } from '../src/snapshot-cache.ts'
import { flush } from './publish-snapshot.ts'
import { anyAlert, anyRule, type Line, linesOfRules } from './rules-in-chunks.ts'

export interface RunningCache {
  cache: SnapshotCache
  /** The versions that were told to be in use. */
  told: number[]
  stop: () => Promise<void>
}

interface Fixtures {
  /** Another connection, to the test's Redis or to what stands in front of it; closed when the test ends. */
  connect: (url?: string) => Redis
  redis: Redis
  prefix: string
  /** A cache that follows this test's snapshots until the test ends. */
  startCache: (options?: Partial<SnapshotCacheOptions>) => RunningCache
}

export const log = createLogger('snapshot test', 'silent')

/** Redis and the cache alone: no Kafka, so that hundreds of snapshots are tried in seconds. */
export const test = base.extend<Fixtures>({
  // biome-ignore lint/correctness/noEmptyPattern: vitest reads the names of the fixtures that a fixture needs from here
  connect: async ({}, use) => {
    const open: Redis[] = []
    await use((url = testServers().redisUrl) => {
      const redis = connectRedis({ REDIS_URL: url, REDIS_TLS_CA: undefined, REDIS_KEY_PREFIX: '' }, log)
      open.push(redis)
      return redis
    })
    await Promise.all(open.map(closeRedis))
  },

  redis: async ({ connect }, use) => {
    const redis = connect()
    await new Promise(resolve => redis.once('ready', resolve))
    await use(redis)
  },

  prefix: async ({ redis }, use) => {
    const prefix = `test-${randomBytes(5).toString('hex')}:`
    await use(prefix)
    await flush(redis, prefix)
  },

  startCache: async ({ redis, prefix }, use) => {
    const running: RunningCache[] = []
    await use((options = {}) => {
      const one = startCache({ redis, prefix, log, ...options })
      running.push(one)
      return one
    })
    await Promise.all(running.map(one => one.stop()))
  },
})

export function startCache(options: Omit<SnapshotCacheOptions, 'onSwap'>): RunningCache {
  const told: number[] = []
  const stopping = new AbortController()
  const cache = new SnapshotCache({ ...options, onSwap: async rules => void told.push(rules.version) })
  const ended = cache.keepCurrent(stopping.signal)
  const stop = async () => {
    stopping.abort()
    await ended
  }
  return { cache, told, stop }
}

/** A metric's value now; 0 for one that nothing was counted in. */
export async function metric(name: string, labels: Record<string, string> = {}): Promise<number> {
  const { values } = (await metrics.getSingleMetric(name)?.get()) ?? { values: [] }
  const found = values.find(value => Object.entries(labels).every(([key, text]) => value.labels[key as never] === text))
  return found?.value ?? 0
}

/** A log that keeps the lines that a person should see. */
export function keepErrors(errors: string[]): Logger {
  const quiet = { debug() {}, info() {}, warn() {} }
  return { ...quiet, error: (...line: unknown[]) => errors.push(JSON.stringify(line)) } as unknown as Logger
}

/** All of this version, and all matching `anyAlert`. */
export const rulesOf = (version: number, count: number): Line[] =>
  linesOfRules(Array.from({ length: count }, (_, index) => anyRule(`rul_${index}`, { version })))

/** The versions of all rules that match, rising. */
export function versionsOf({ current }: SnapshotCache): number[] {
  const texts = [...(current?.match(anyAlert)?.values() ?? [])].flat()
  return texts.map(text => JSON.parse(text).version as number).toSorted((a, b) => a - b)
}

/** Woken, as publish/subscribe does it, until it is there. */
export async function inUse(cache: SnapshotCache, version: number): Promise<void> {
  await eventually(
    () => {
      cache.wake()
      expect(cache.current?.version).toBe(version)
    },
    { everyMs: 5 },
  )
}
