import { readManifest } from '@tocsin/redis/snapshot-store'
import { AppError } from '@tocsin/runtime/errors'
import { expect } from 'vitest'
import * as meters from '../src/meters.ts'
import { rulesPerPage } from '../src/rules-table.ts'
import { overheard } from './interposed.ts'
import {
  begunTerm,
  deleteRules,
  editRules,
  insertRules,
  never,
  numbered,
  rulesIn,
  rulesOf,
  stamps,
  test,
  waitingRows,
} from './private-places.ts'

/** Several pages. */
const many = numbered(1_000)

test('however many changes wait, Postgres is asked for some rules at a time', async ({ places }) => {
  let most = 0
  const term = await begunTerm(
    overheard(places, rows => {
      most = Math.max(most, rows.length)
    }),
  )
  await insertRules(places.database, many)
  await term.turn(never)
  expect(await rulesIn(places)).toEqual(await rulesOf(places.database))
  expect(await waitingRows(places.database)).toBe(0)
  await term.reconcile(never)
  expect(most).toBeLessThanOrEqual(rulesPerPage + 1)
})

test('a rule that was changed many times since the last snapshot is read once', async ({ places }) => {
  let read = 0
  const term = await begunTerm(
    overheard(places, rows => {
      read += rows.filter(row => Object.values(row).some(value => String(value).includes('"conditions"'))).length
    }),
  )
  await insertRules(places.database, ['rul_1'])
  for (let edits = 0; edits < 50; edits++) await editRules(places.database, ['rul_1'])
  await term.turn(never)
  expect(await rulesIn(places)).toEqual(['rul_1@51'])
  expect(await waitingRows(places.database)).toBe(0)
  expect(read).toBe(1)
})

test('a transaction over more rules than are read at a time is in a snapshot with all of them or with none', async ({
  places,
}) => {
  const { database } = places
  await insertRules(database, many)
  let pagesLeft = Number.POSITIVE_INFINITY
  const term = await begunTerm(
    overheard(places, async rows => {
      if (rows.length >= rulesPerPage && pagesLeft-- === 0) await editRules(database, many)
    }),
  )
  await editRules(database, many)
  pagesLeft = 2
  await term.turn(never)
  expect(new Set((await rulesIn(places))!.map(rule => rule.split('@')[1]))).toEqual(new Set(['2']))
  expect(new Set(Object.values(await stamps(database)))).toEqual(new Set([null]))
  await term.turn(never)
  expect(await rulesIn(places)).toEqual(await rulesOf(database))
})

test('when reading fails half way, nothing is published, and then everything', async ({ places }) => {
  const { database } = places
  await insertRules(database, many)
  let pagesLeft = Number.POSITIVE_INFINITY
  const term = await begunTerm(
    overheard(places, rows => {
      if (rows.length >= rulesPerPage && pagesLeft-- === 0) throw new AppError('away', 'away', { retryable: true })
    }),
  )
  const before = await rulesIn(places)
  await editRules(database, many.slice(100))
  await deleteRules(database, many.slice(0, 100))
  pagesLeft = 2
  await expect(term.turn(never)).rejects.toThrow('away')
  expect(await rulesIn(places)).toEqual(before)
  await term.check(never)
  expect(await readManifest(places.redis, places.prefix)).toMatchObject({ version: 1 })
  await term.turn(never)
  expect(await rulesIn(places)).toEqual(await rulesOf(database))
  expect(await waitingRows(database)).toBe(0)
})

test('drift of more rules than fit into the arguments of a call is taken in like any other', {
  timeout: 120_000,
}, async ({ places }) => {
  const { database } = places
  const term = await begunTerm(places)
  const before = await drift()
  await database.query(`INSERT INTO teams (team_id, name) VALUES ('payments', 'Payments')`)
  await database.query(
    `INSERT INTO rules (rule_id, team_id, name, conditions)
     SELECT 'rul_' || n, 'payments', 'x', '{}' FROM generate_series(1, 130000) AS n`,
  )
  await term.reconcile(never)
  await term.turn(never)
  expect((await drift()) - before).toBe(130_000)
  expect(await readManifest(places.redis, places.prefix)).toMatchObject({ rules: 130_000 })
})

const drift = async () => (await meters.driftTotal.get()).values[0]?.value ?? 0
