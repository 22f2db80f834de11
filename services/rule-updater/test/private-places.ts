import { randomBytes } from 'node:crypto'
import { type Manifest, type SnapshotRule, snapshotRuleSchema } from '@tocsin/contracts/snapshot'
import type { Queryable } from '@tocsin/postgres/database'
import { closeRedis, connectRedis, type Redis } from '@tocsin/redis/connection'
import { linesOf } from '@tocsin/redis/snapshot-chunk'
import { readChunks, readManifest } from '@tocsin/redis/snapshot-store'
import { AppError } from '@tocsin/runtime/errors'
import { createLogger } from '@tocsin/runtime/logger'
import { eventually } from '@tocsin/testkit/eventually'
import { testServers } from '@tocsin/testkit/servers'
import { test as base } from '@tocsin/testkit/test'
import { expect } from 'vitest'
import { acquireLease } from '../src/lease.ts'
import type { Places } from '../src/places.ts'
import { Term } from '../src/term.ts'

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

export const never = new AbortController().signal

/** A leader that has published, whoever led before: as if that one's lease had just run out. */
export async function begunTerm(places: Places): Promise<Term> {
  const term = await newTerm(places)
  await term.begin(never)
  return term
}

/** A leader that has not read anything yet. */
export async function newTerm(places: Places): Promise<Term> {
  for (;;) {
    await places.database.query(`UPDATE snapshot_lease SET lease_until = '-infinity'`)
    const lease = await acquireLease(places.database, `test-${randomBytes(5).toString('hex')}`)
    if (lease !== undefined) return new Term(places, lease)
  }
}

/** What a flush does to one installation of those that share a Redis. */
export async function flush(redis: Redis, prefix: string): Promise<void> {
  for await (const keys of redis.scanStream({ match: `${prefix}*`, count: 1_000 })) {
    if (keys.length > 0) await redis.del(...keys)
  }
}

export interface ReadSnapshot {
  manifest: Manifest
  /** In the order of their ids. */
  rules: SnapshotRule[]
}

/** As an evaluator reads: the manifest, then its chunks, each verified; again when a chunk went with its snapshot. */
export async function readSnapshot(redis: Redis, prefix: string): Promise<ReadSnapshot | undefined> {
  for (let tries = 1; ; tries++) {
    const manifest = await readManifest(redis, prefix)
    if (manifest === undefined) return undefined
    try {
      const hashes = manifest.chunks.map(chunk => chunk.hash).filter(hash => hash !== '')
      const texts = await readChunks(redis, prefix, hashes)
      const lines = [...texts.values()].flatMap(text => [...linesOf(text)])
      const rules = lines.map(line => snapshotRuleSchema.parse(JSON.parse(line.json)))
      return { manifest, rules: rules.sort((a, b) => (a.rule_id < b.rule_id ? -1 : 1)) }
    } catch (error) {
      if (tries === 3 || !(error instanceof AppError) || error.code !== 'chunk_gone') throw error
    }
  }
}

/** `rul_1@2` for version 2 of rul_1: what a snapshot says, in few words. */
export const named = (rules: readonly { rule_id: string; version: number }[]) =>
  rules.map(rule => `${rule.rule_id}@${rule.version}`)

export async function rulesIn(places: Pick<Places, 'redis' | 'prefix'>): Promise<string[] | undefined> {
  const snapshot = await readSnapshot(places.redis, places.prefix)
  return snapshot && named(snapshot.rules)
}

/** The enabled rules of the database, as `rulesIn` has those of the snapshot. */
export async function rulesOf(database: Queryable): Promise<string[]> {
  const { rows } = await database.query<{ rule_id: string; version: number }>(
    'SELECT rule_id, version FROM rules WHERE enabled ORDER BY rule_id COLLATE "C"',
  )
  return named(rows)
}

/** The statements below write as rule-service does: each change of a rule with its row in `rule_versions`. */
async function change(database: Queryable, action: string, changed: string, values: unknown[]): Promise<void> {
  await database.query(
    `WITH changed AS (${changed})
     INSERT INTO rule_versions (rule_id, version, team_id, action, changed_by, definition)
     SELECT rule_id, version, team_id, '${action}', 'key_test', definition FROM changed`,
    values,
  )
}

const returning = `RETURNING rule_id, version, team_id, jsonb_build_object('name', name) AS definition`
const conditions = '{"all": [{"fact": "severity", "operator": "equal", "value": "HIGH"}]}'

export async function insertRules(database: Queryable, ids: readonly string[], { enabled = true } = {}): Promise<void> {
  await database.query(`INSERT INTO teams (team_id, name) VALUES ('payments', 'Payments') ON CONFLICT DO NOTHING`)
  const insert = `INSERT INTO rules (rule_id, team_id, name, conditions, enabled)
     SELECT id, 'payments', id, '${conditions}', $2 FROM unnest($1::text[]) AS id ${returning}`
  await change(database, 'created', insert, [ids, enabled])
}

export async function editRules(database: Queryable, ids: readonly string[]): Promise<void> {
  const update = `UPDATE rules SET version = version + 1, name = name || '+' WHERE rule_id = ANY($1) ${returning}`
  await change(database, 'updated', update, [ids])
}

export async function setEnabled(database: Queryable, ids: readonly string[], enabled: boolean): Promise<void> {
  const update = `UPDATE rules SET version = version + 1, enabled = $2 WHERE rule_id = ANY($1) ${returning}`
  await change(database, enabled ? 'enabled' : 'disabled', update, [ids, enabled])
}

export async function deleteRules(database: Queryable, ids: readonly string[]): Promise<void> {
  const gone = `DELETE FROM rules WHERE rule_id = ANY($1)
     RETURNING rule_id, version + 1 AS version, team_id, NULL::jsonb AS definition`
  await change(database, 'deleted', gone, [ids])
}

/** Which snapshot the newest version of each rule is stamped with. */
export async function stamps(database: Queryable): Promise<Record<string, number | null>> {
  const { rows } = await database.query<{ rule_id: string; snapshot_version: number | null }>(
    `SELECT DISTINCT ON (rule_id) rule_id, snapshot_version FROM rule_versions ORDER BY rule_id, version DESC`,
  )
  return Object.fromEntries(rows.map(row => [row.rule_id, row.snapshot_version]))
}

export const waitingRows = async (database: Queryable): Promise<number> =>
  (await database.query('SELECT FROM rule_versions WHERE snapshot_version IS NULL')).rowCount ?? 0

export const numbered = (count: number, from = 0) =>
  Array.from({ length: count }, (_, index) => `rul_${String(from + index).padStart(5, '0')}`)

export async function chunksIn(redis: Redis, prefix: string): Promise<ReadonlySet<string>> {
  return new Set(await redis.keys(`${prefix}snapshot:chunk:*`))
}

/** Redis has what Postgres has, and nothing waits. */
export const upToDate = (database: Queryable, redis: Redis, prefix: string): Promise<void> =>
  eventually(
    async () => {
      expect(await rulesIn({ redis, prefix })).toEqual(await rulesOf(database))
      expect(await waitingRows(database)).toBe(0)
    },
    { everyMs: 20 },
  )
