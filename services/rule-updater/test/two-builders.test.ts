import { setTimeout as sleep } from 'node:timers/promises'
import { type SnapshotRule, snapshotRuleSchema } from '@tocsin/contracts/snapshot'
import type { Database } from '@tocsin/postgres/database'
import { openDatabase } from '@tocsin/testkit/private-database'
import { expect } from 'vitest'
import { buildSnapshot, isBehind, type Places } from '../src/build-snapshot.ts'
import { flush, insertRule, stamps, test } from './private-places.ts'

const pairs = 6

test('two updaters at once, edits and flushes: versions only rise, and every snapshot is a state that Postgres had', async ({
  places,
  database,
}) => {
  const snapshots = new Map<number, SnapshotRule[]>()
  for (let pair = 0; pair < pairs; pair++) {
    await insertRule(database, `rul_${pair}_a`)
    await insertRule(database, `rul_${pair}_b`)
  }
  let editing = true
  const edits = Promise.all([editPairs(database, 60), editPairs(database, 60)]).finally(() => {
    editing = false
  })
  const second = openDatabase(database.url)
  const build = async (own: Places) => {
    while (editing) {
      await buildSnapshot(own).catch(retryable)
      await keepBodies(places, snapshots)
      if (Math.random() < 0.02) await flush(places.redis, places.prefix)
    }
  }
  await Promise.all([edits, build(places), build({ ...places, database: second })])
  await second.close()

  await buildSnapshot(places)
  expect(await isBehind(places)).toBe(false)
  await keepBodies(places, snapshots)
  expect(snapshots.size).toBeGreaterThan(10)
  expectRising(snapshots)
  for (const [rule_id, stamp] of Object.entries(await stamps(database))) {
    const { rows } = await database.query<{ version: number }>('SELECT version FROM rules WHERE rule_id = $1', [
      rule_id,
    ])
    const stamped = snapshots.get(stamp ?? 0)
    // Bodies that a flush took before we saw them cannot be asked.
    if (stamped !== undefined) expect(versionIn(stamped, rule_id)).toBe(rows[0]?.version)
  }
})

/** Both rules of a pair always change in one transaction: a view in which they differ is a view that never was. */
async function editPairs(database: Database, edits: number): Promise<void> {
  for (let edit = 0; edit < edits; edit++) {
    const pair = Math.floor(Math.random() * pairs)
    await database.query('UPDATE rules SET version = version + 1, snapshot_version = NULL WHERE rule_id = ANY($1)', [
      [`rul_${pair}_a`, `rul_${pair}_b`],
    ])
    await sleep(Math.random() * 20)
  }
}

function expectRising(snapshots: ReadonlyMap<number, SnapshotRule[]>): void {
  const seen = new Map<string, number>()
  for (const [version, rules] of [...snapshots].sort(([a], [b]) => a - b)) {
    for (const rule of rules) {
      expect(rule.version, `${rule.rule_id} in snapshot ${version}`).toBeGreaterThanOrEqual(seen.get(rule.rule_id) ?? 1)
      seen.set(rule.rule_id, rule.version)
    }
    for (let pair = 0; pair < pairs; pair++) {
      expect(versionIn(rules, `rul_${pair}_a`)).toBe(versionIn(rules, `rul_${pair}_b`))
    }
  }
}

/** Everything that was written lately, replaced bodies included: they stay for a while. */
async function keepBodies({ redis, prefix }: Places, snapshots: Map<number, SnapshotRule[]>): Promise<void> {
  for await (const keys of redis.scanStream({ match: `${prefix}snapshot:[0-9]*`, count: 1_000 })) {
    for (const key of keys as string[]) {
      const version = Number(key.slice(key.lastIndexOf(':') + 1))
      const text = snapshots.has(version) ? null : await redis.get(key)
      if (text !== null) snapshots.set(version, snapshotRuleSchema.array().parse(JSON.parse(text)))
    }
  }
}

const versionIn = (rules: readonly SnapshotRule[], rule_id: string) =>
  rules.find(rule => rule.rule_id === rule_id)?.version

/** A flush between body and swap. */
function retryable(error: unknown): void {
  expect(error).toMatchObject({ code: 'snapshot_lost', retryable: true })
}
