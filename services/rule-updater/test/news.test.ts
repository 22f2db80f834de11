import { eventually } from '@tocsin/testkit/eventually'
import fc from 'fast-check'
import { expect } from 'vitest'
import { NewsListener } from './news-listener.ts'
import {
  begunTerm,
  deleteRules,
  editRules,
  flush,
  insertRules,
  never,
  numbered,
  readSnapshot,
  setEnabled,
  test,
} from './private-places.ts'

interface Edit {
  what: string
  from: number
  count: number
}

const what = fc.constantFrom('edit', 'edit', 'disable', 'enable', 'delete', 'insert')
const edit = fc.record({ what, from: fc.integer({ min: 0, max: 30 }), count: fc.integer({ min: 1, max: 6 }) })
const turns = fc.array(fc.array(edit, { minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 6 })

test('whatever is changed, what a leader tells of it makes exactly the snapshot that it wrote', {
  timeout: 60_000,
}, async ({ places }) => {
  const { database, redis, prefix } = places
  await using listener = await NewsListener.listen(places)
  const read = async () => {
    const snapshot = (await readSnapshot(redis, prefix))!
    listener.read(snapshot)
    return snapshot
  }
  let made = 0
  const fresh = (count: number) => {
    made += count
    return numbered(count, made - count)
  }
  let published = 0
  const property = async (rounds: Edit[][]) => {
    await flush(redis, prefix)
    await database.query('TRUNCATE rules, rule_versions')
    const ids = fresh(24)
    await insertRules(database, ids)
    const term = await begunTerm(places)
    await read()
    for (const edits of rounds) {
      for (const { what, from, count } of edits) {
        const some = ids.slice(from, from + count)
        if (what === 'edit') await editRules(database, some)
        else if (what === 'delete') await deleteRules(database, some)
        else if (what !== 'insert') await setEnabled(database, some, what === 'enable')
        else await insertRules(database, fresh(count))
      }
      if (!(await term.turn(never))) continue
      published++
      await eventually(() => expect(listener.isBehind || listener.version === term.published!.version).toBe(true), {
        everyMs: 1,
      })
      const told = listener.isBehind ? undefined : listener.rules
      const { rules } = await read()
      expect(told ?? rules).toEqual(rules)
    }
  }
  await fc.assert(fc.asyncProperty(turns, property), { numRuns: 100 })
  // Not told: another number of chunks.
  expect(listener.used).toBeGreaterThan(published / 2)
})

test('very many changes at once are not told one by one', async ({ places }) => {
  const { database, redis, prefix } = places
  await insertRules(database, numbered(3_000))
  const term = await begunTerm(places)
  await using listener = await NewsListener.listen(places)
  listener.read((await readSnapshot(redis, prefix))!)
  await editRules(database, numbered(2_500))
  await term.turn(never)
  await eventually(() => expect(listener.isBehind).toBe(true))
  listener.read((await readSnapshot(redis, prefix))!)
  await editRules(database, numbered(1_500))
  await term.turn(never)
  await eventually(() => expect(listener.version).toBe(term.published!.version))
  expect(listener.rules).toEqual((await readSnapshot(redis, prefix))!.rules)
})
