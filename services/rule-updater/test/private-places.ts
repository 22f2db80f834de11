import { randomBytes } from 'node:crypto'
import type { Database } from '@tocsin/postgres/database'
import { closeRedis, connectRedis, type Redis } from '@tocsin/redis/connection'
import { createLogger } from '@tocsin/runtime/logger'
import { testServers } from '@tocsin/testkit/servers'
import { test as base } from '@tocsin/testkit/test'
import type { Places } from '../src/build-snapshot.ts'

interface Fixtures {
  redis: Redis
  /** A migrated database and a corner of Redis that no other test has. */
  places: Places
}

export const test = base.extend<Fixtures>({
  // biome-ignore lint/correctness/noEmptyPattern: vitest reads the names of the fixtures that a fixture needs from here
  redis: async ({}, use) => {
    const settings = { REDIS_URL: testServers().redisUrl, REDIS_TLS_CA: undefined, REDIS_KEY_PREFIX: '' }
    const redis = connectRedis(settings, log)
    await new Promise(resolve => redis.once('ready', resolve))
    await use(redis)
    await closeRedis(redis)
  },

  places: async ({ database, redis }, use) => {
    const prefix = `test-${randomBytes(5).toString('hex')}:`
    await use({ database, redis, prefix, log })
    await flush(redis, prefix)
  },
})

const log = createLogger('rule-updater test', 'silent')

/** What a flush does to one installation of those that share a Redis. */
export async function flush(redis: Redis, prefix: string): Promise<void> {
  for await (const keys of redis.scanStream({ match: `${prefix}*`, count: 1_000 })) {
    if (keys.length > 0) await redis.del(...keys)
  }
}

export async function insertRule(database: Database, rule_id: string, { enabled = true } = {}): Promise<void> {
  await database.query(`INSERT INTO teams (team_id, name) VALUES ('payments', 'Payments') ON CONFLICT DO NOTHING`)
  await database.query(
    `INSERT INTO rules (rule_id, team_id, name, conditions, enabled)
     VALUES ($1, 'payments', $1, '{"all": [{"fact": "severity", "operator": "equal", "value": "HIGH"}]}', $2)`,
    [rule_id, enabled],
  )
}

/** As rule-service writes an edit. */
export async function editRule(database: Database, rule_id: string): Promise<void> {
  await database.query('UPDATE rules SET version = version + 1, snapshot_version = NULL WHERE rule_id = $1', [rule_id])
}

/** Which snapshot each rule is stamped with. */
export async function stamps(database: Database): Promise<Record<string, number | null>> {
  const { rows } = await database.query<{ rule_id: string; snapshot_version: number | null }>(
    'SELECT rule_id, snapshot_version FROM rules',
  )
  return Object.fromEntries(rows.map(row => [row.rule_id, row.snapshot_version]))
}
