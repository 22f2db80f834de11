import type { Redis } from '@tocsin/redis/connection'
import { heartbeat } from '@tocsin/redis/evaluator-registry'
import { readManifest } from '@tocsin/redis/snapshot-store'
import { describe, expect } from 'vitest'
import * as meters from '../src/meters.ts'
import { interposed } from './interposed.ts'
import {
  begunTerm,
  chunksIn,
  deleteRules,
  editRules,
  flush,
  insertRules,
  never,
  numbered,
  readSnapshot,
  rulesIn,
  rulesOf,
  stamps,
  test,
} from './private-places.ts'

describe('Redis and Postgres may lose what they like', () => {
  test('a flushed Redis gets a higher version, not the first one again', async ({ places }) => {
    await insertRules(places.database, numbered(50))
    const term = await begunTerm(places)
    await flush(places.redis, places.prefix)
    await term.check(never)
    expect(await readManifest(places.redis, places.prefix)).toMatchObject({ version: 2 })
    expect(await rulesIn(places)).toEqual(await rulesOf(places.database))
  })

  test('flushed between looking and writing, between writing and swapping: found out by the swap', async ({
    places,
  }) => {
    for (const step of ['read', 'write', 'swap'] as const) {
      let flushes = false
      const term = await begunTerm(
        interposed(places, step, async run => {
          if (flushes) await flush(places.redis, places.prefix)
          flushes = false
          return run()
        }),
      )
      await insertRules(places.database, [`rul_${step}`])
      flushes = true
      await term.turn(never)
      await term.check(never)
      expect(await rulesIn(places)).toEqual(await rulesOf(places.database))
    }
  })

  test('chunks that were evicted are put back without a new version', async ({ places }) => {
    await insertRules(places.database, numbered(300))
    const term = await begunTerm(places)
    const chunks = [...(await chunksIn(places.redis, places.prefix))]
    await places.redis.del(...chunks.slice(0, 3))
    await term.check(never)
    expect(await readManifest(places.redis, places.prefix)).toMatchObject({ version: 1 })
    expect(await rulesIn(places)).toEqual(await rulesOf(places.database))
  })

  test('chunks that were damaged, and lost at the same time, are put right by a comparison', async ({ places }) => {
    await insertRules(places.database, numbered(300))
    const term = await begunTerm(places)
    const { chunks } = (await readManifest(places.redis, places.prefix))!
    const [one, other, third, ...more] = chunks.map(chunk => `${places.prefix}snapshot:chunk:${chunk.hash}`)
    await places.redis.set(one!, 'nonsense')
    await places.redis.copy(third!, other!, 'REPLACE')
    await places.redis.del(...more.slice(0, 6))
    await term.reconcile(never)
    expect(await readManifest(places.redis, places.prefix)).toMatchObject({ version: 1 })
    expect(await rulesIn(places)).toEqual(await rulesOf(places.database))
  })

  test('chunks that no snapshot names get an end, those of the snapshot do not', async ({ places }) => {
    await insertRules(places.database, numbered(30))
    const term = await begunTerm(places)
    const stray = `${places.prefix}snapshot:chunk:stray`
    await places.redis.set(stray, 'left by somebody')
    const chunks = await chunksIn(places.redis, places.prefix)
    await term.reconcile(never)
    for (const chunk of chunks) expect((await places.redis.pttl(chunk)) > 0, chunk).toBe(chunk === stray)
  })

  test.for([
    ['a text', (redis: Redis, key: string) => redis.set(key, 'nonsense')],
    ['a manifest that is cut off', (redis: Redis, key: string) => redis.hset(key, 'manifest', '{"version": 1')],
    ['a manifest without its version', (redis: Redis, key: string) => redis.hdel(key, 'version')],
    ['another manifest', (redis: Redis, key: string) => redis.hset(key, 'version', 0)],
  ] as const)('%s where the manifest should be is replaced', async ([, damage], { places }) => {
    await insertRules(places.database, ['rul_1'])
    const term = await begunTerm(places)
    const key = `${places.prefix}snapshot:current`
    await damage(places.redis, key)
    await term.check(never)
    expect(await rulesIn(places)).toEqual(['rul_1@1'])
    await editRules(places.database, ['rul_1'])
    await term.turn(never)
    expect(await rulesIn(places)).toEqual(['rul_1@2'])
  })

  test('a Postgres restored to an earlier day goes on above what readers have seen, with a higher token', async ({
    places,
  }) => {
    await insertRules(places.database, ['rul_1'])
    const term = await begunTerm(places)
    await places.redis.hset(`${places.prefix}snapshot:current`, { version: 900, token: 40 })
    await editRules(places.database, ['rul_1'])
    await term.turn(never)
    expect(await readManifest(places.redis, places.prefix)).toMatchObject({ version: 901, token: 41 })
    expect(await stamps(places.database)).toEqual({ rul_1: 901 })
    expect(term.takeSuspicion()).toBe(true)
    // And the next leader is above both.
    const next = await begunTerm(places)
    expect(next.published).toMatchObject({ version: 902, token: 42 })
  })

  test('where the row of the lease was deleted, the next leader goes on above what readers have seen', async ({
    places,
  }) => {
    const { database } = places
    await insertRules(database, ['rul_1'])
    const first = await begunTerm(places)
    await editRules(database, ['rul_1'])
    await first.turn(never)
    await database.query('DELETE FROM snapshot_lease')
    const next = await begunTerm(places)
    expect(next.published!.version).toBeGreaterThan(first.published!.version)
    expect(await rulesIn(places)).toEqual(['rul_1@2'])
  })

  test('when both were lost, it goes on above what evaluators still match with', async ({ places }) => {
    const since = new Date().toISOString()
    await heartbeat(places.redis, places.prefix, { evaluator_id: 'old', snapshot_version: 70, since })
    const term = await begunTerm(places)
    expect(await readManifest(places.redis, places.prefix)).toMatchObject({ version: 71 })
    await heartbeat(places.redis, places.prefix, { evaluator_id: 'older', snapshot_version: 90, since })
    await term.check(never)
    expect(await readManifest(places.redis, places.prefix)).toMatchObject({ version: 91 })
  })
})

describe('what nobody told of is found by comparing', () => {
  test('rules written past rule-service are drift: counted, reported, and in the next snapshot', async ({ places }) => {
    const { database } = places
    await insertRules(database, numbered(20))
    const term = await begunTerm(places)
    const before = await drift()
    await database.query(`UPDATE rules SET name = 'renamed' WHERE rule_id = 'rul_00001'`)
    await database.query(`DELETE FROM rules WHERE rule_id = 'rul_00002'`)
    await database.query(`UPDATE rules SET enabled = false WHERE rule_id = 'rul_00003'`)
    await editRules(database, ['rul_00004'])

    await term.reconcile(never)
    // Known by now, and changed once more before it was taken in.
    await editRules(database, ['rul_00001'])
    expect((await drift()) - before).toBe(3)
    const { rows } = await database.query('SELECT last_reconcile FROM snapshot_lease')
    expect(rows[0]?.last_reconcile).toMatchObject({ rules: 18, drift: 3, seconds: expect.any(Number) })
    await term.turn(never)
    expect(await rulesIn(places)).toEqual(await rulesOf(database))
    expect((await readSnapshot(places.redis, places.prefix))?.rules[1]?.name).toBe('renamed+')

    await term.reconcile(never)
    expect((await drift()) - before).toBe(3)
  })

  test('changes that are published while it compares are no drift, and stay', async ({ places }) => {
    const { database } = places
    const ids = numbered(3_000)
    await insertRules(database, ids)
    const term = await begunTerm(places)
    const before = await drift()
    let comparing = true
    const compared = term.reconcile(never).finally(() => {
      comparing = false
    })
    for (let turns = 0; comparing; turns++) {
      await editRules(database, [ids[turns]!, ids.at(-1 - turns)!])
      await deleteRules(database, [ids[1_500 + turns]!])
      await term.turn(never)
    }
    await compared
    await term.turn(never)
    expect(await drift()).toBe(before)
    expect(await rulesIn(places)).toEqual(await rulesOf(database))
  })

  test('an asked-for rebuild writes every chunk and a new version', async ({ places }) => {
    const { database, redis, prefix } = places
    await insertRules(database, numbered(300))
    const term = await begunTerm(places)
    await database.query('UPDATE snapshot_lease SET rebuilds_wanted = 3')
    for (const chunk of await chunksIn(redis, prefix)) await redis.set(chunk, 'nonsense')
    await term.reconcile(never, 3)
    await term.turn(never)
    expect(await readManifest(redis, prefix)).toMatchObject({ version: 2 })
    expect(await rulesIn(places)).toEqual(await rulesOf(database))
    const { rows } = await database.query('SELECT rebuilds_done FROM snapshot_lease')
    expect(rows).toEqual([{ rebuilds_done: 3 }])
  })
})

const drift = async () => (await meters.driftTotal.get()).values[0]?.value ?? 0
