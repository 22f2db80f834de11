import { expect } from 'vitest'
import type { Places } from '../src/places.ts'
import { interposed, overheard } from './interposed.ts'
import {
  begunTerm,
  deleteRules,
  editRules,
  flush,
  insertRules,
  never,
  newTerm,
  numbered,
  rulesIn,
  rulesOf,
  stamps,
  test,
  waitingRows,
} from './private-places.ts'

/** A successor's beginning, and whether it read every rule for it. */
async function takeOver(places: Places) {
  let hasReadAll = false
  const term = await newTerm(
    overheard(places, (_, statement) => {
      if (statement.startsWith('DECLARE')) hasReadAll = true
    }),
  )
  await term.begin(never)
  return { term, hasReadAll }
}

test('a successor goes on with what readers have, and reads only what was changed since', async ({ places }) => {
  const { database } = places
  await insertRules(database, numbered(300))
  await begunTerm(places)
  await editRules(database, ['rul_00007'])
  await deleteRules(database, ['rul_00008'])

  const { term, hasReadAll } = await takeOver(places)
  expect(hasReadAll).toBe(false)
  expect(await rulesIn(places)).toEqual(await rulesOf(database))
  expect(term.published).toMatchObject({ version: 2, token: 2, rules: 299 })
  expect(await waitingRows(database)).toBe(0)
})

test('what the leader before publishes and stamps meanwhile is not lost', async ({ places }) => {
  const { database, redis, prefix } = places
  await insertRules(database, ['rul_1', 'rul_2'])
  const frozen = Promise.withResolvers<void>()
  const goOn = Promise.withResolvers<void>()
  let isArmed = false
  const old = await begunTerm(
    interposed(places, 'swap', async run => {
      if (isArmed) {
        frozen.resolve()
        await goOn.promise
      }
      return run()
    }),
  )
  await editRules(database, ['rul_1'])
  isArmed = true
  const ended = old.turn(never)
  await frozen.promise

  let isFirst = true
  const next = await newTerm(
    interposed(places, 'read', async run => {
      const found = await run()
      if (isFirst) {
        isFirst = false
        goOn.resolve()
        await ended
        expect(await stamps(database)).toEqual({ rul_1: 2, rul_2: 1 })
      }
      return found
    }),
  )
  await next.begin(never)
  expect(await rulesIn({ redis, prefix })).toEqual(['rul_1@2', 'rul_2@1'])
})

test('a snapshot that is older than what was told to be live is not taken over', async ({ places }) => {
  const { database, redis, prefix } = places
  await insertRules(database, numbered(20))
  const term = await begunTerm(places)
  const saved = await keysOf(places)
  await editRules(database, ['rul_00003'])
  await term.turn(never)
  await flush(redis, prefix)
  for (const { key, value } of saved) await redis.restore(key, 0, value)
  expect(await rulesIn(places)).not.toEqual(await rulesOf(database))

  expect(await takeOver(places)).toMatchObject({ hasReadAll: true })
  expect(await rulesIn(places)).toEqual(await rulesOf(database))
})

test('nor one that Postgres knows nothing of, or that is not whole', async ({ places }) => {
  const { database, redis, prefix } = places
  await insertRules(database, numbered(20))
  await begunTerm(places)
  await database.query('UPDATE snapshot_lease SET version = 0')
  await database.query('UPDATE rule_versions SET snapshot_version = NULL, snapshot_at = NULL')
  expect(await takeOver(places)).toMatchObject({ hasReadAll: true })

  for (const damage of ['gone', 'not what was written'] as const) {
    const [chunk] = await redis.keys(`${prefix}snapshot:chunk:*`)
    if (damage === 'gone') await redis.del(chunk!)
    else await redis.set(chunk!, 'x')
    const { term, hasReadAll } = await takeOver(places)
    expect(hasReadAll).toBe(true)
    await term.reconcile(never) // puts back what is there under its name, and is not what was written
    expect(await rulesIn(places)).toEqual(await rulesOf(database))
  }
})

test('what was written past rule-service while nobody led is found by the comparison', async ({ places }) => {
  const { database } = places
  await insertRules(database, numbered(20))
  await begunTerm(places)
  await database.query(`UPDATE rules SET version = 9 WHERE rule_id = 'rul_00004'`)
  await database.query(`DELETE FROM rules WHERE rule_id = 'rul_00005'`)
  const { term, hasReadAll } = await takeOver(places)
  expect(hasReadAll).toBe(false)
  await term.reconcile(never)
  await term.turn(never)
  expect(await rulesIn(places)).toEqual(await rulesOf(database))
})

async function keysOf({ redis, prefix }: Places): Promise<{ key: string; value: Buffer }[]> {
  const keys = await redis.keys(`${prefix}snapshot:*`)
  return Promise.all(keys.map(async key => ({ key, value: (await redis.dumpBuffer(key))! })))
}
