import { type Match, matchSchema, type TeamMatch } from '@tocsin/contracts/messages'
import type { Manifest, SnapshotRule } from '@tocsin/contracts/snapshot'
import { closeRedis, connectRedis, type Redis } from '@tocsin/redis/connection'
import { createLogger } from '@tocsin/runtime/logger'
import { eventually } from '@tocsin/testkit/eventually'
import { publishRaw } from '@tocsin/testkit/raw-kafka'
import { testServers } from '@tocsin/testkit/servers'
import { type InProcess, startInProcess } from '@tocsin/testkit/service-in-process'
import { test as base } from '@tocsin/testkit/test'
import { readTopic, type TopicReader } from '@tocsin/testkit/topic-reader'
import { expect } from 'vitest'
import { settings } from '../src/config.ts'
import { start } from '../src/start.ts'
import { flush, publishSnapshot } from './publish-snapshot.ts'
import { linesOfRules } from './rules-in-chunks.ts'

interface Fixtures {
  redis: Redis
  /** In front of this test's keys in Redis. */
  prefix: string
  /** Starts an evaluator of this test; it is stopped when the test ends. */
  startEvaluator: (own?: Record<string, string>) => InProcess
  /** As the rule-updater does. */
  publishRules: (version: number, rules: SnapshotRule[], chunkCount?: number) => Promise<Manifest>
  /** As somebody else's program does: bare JSON, no header. */
  publishAlerts: (...alerts: object[]) => Promise<void>
  matched: TopicReader
}

export const test = base.extend<Fixtures>({
  // biome-ignore lint/correctness/noEmptyPattern: vitest reads the names of the fixtures that a fixture needs from here
  redis: async ({}, use) => {
    const settings = { REDIS_URL: testServers().redisUrl, REDIS_TLS_CA: undefined, REDIS_KEY_PREFIX: '' }
    const redis = connectRedis(settings, createLogger('evaluator test', 'silent'))
    await new Promise(resolve => redis.once('ready', resolve))
    await use(redis)
    await closeRedis(redis)
  },

  prefix: async ({ environment, redis }, use) => {
    const prefix = environment.REDIS_KEY_PREFIX!
    await use(prefix)
    await flush(redis, prefix)
  },

  startEvaluator: async ({ environment }, use) => {
    const started: InProcess[] = []
    await use((own = {}) => {
      const evaluator = startInProcess('evaluator', start, settings, { ...environment, ...own })
      started.push(evaluator)
      return evaluator
    })
    await Promise.all(started.map(evaluator => evaluator.stop()))
  },

  publishRules: async ({ redis, prefix }, use) =>
    use((version, rules, chunkCount) =>
      publishSnapshot(redis, prefix, linesOfRules(rules), {
        version,
        ...(chunkCount === undefined ? {} : { chunkCount }),
      }),
    ),

  publishAlerts: async ({ environment }, use) =>
    use(async (...alerts) => {
      const records = alerts.map(alert => ({ value: JSON.stringify(alert) }))
      await publishRaw(testServers().kafkaBrokers, `${environment.KAFKA_TOPIC_PREFIX}alerts.new`, records)
    }),

  matched: async ({ environment }, use) => {
    await using reader = await readTopic(`${environment.KAFKA_TOPIC_PREFIX}alerts.matched`)
    await use(reader)
  },
})

/** The first match of this alert, once it is there. */
export function matchOf(matched: TopicReader, alertId: string): Promise<OneMatch> {
  return eventually(() => {
    const match = matches(matched).find(match => match.alert.alert_id === alertId)
    expect(match, `match of ${alertId}`).toBeDefined()
    return match!
  })
}

/** What a record says of one of its teams. */
export type OneMatch = Omit<Match, 'teams'> & TeamMatch

export function matches(matched: TopicReader): OneMatch[] {
  return matched.records.flatMap(record => oneByOne(record.value))
}

export function oneByOne(value: string): OneMatch[] {
  const { teams, ...match } = matchSchema.parse(JSON.parse(value))
  return teams.map(team => ({ ...match, ...team }))
}

export const alert = (alert_id: string, more: object = {}) => ({
  alert_id,
  severity: 'HIGH',
  source: 'api',
  name: 'timeout',
  ...more,
})
