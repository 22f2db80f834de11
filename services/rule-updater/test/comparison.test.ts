import { expect } from 'vitest'
import { ChunkBook } from '../src/chunk-book.ts'
import { Comparison } from '../src/comparison.ts'
import * as meters from '../src/meters.ts'
import { readEverything } from '../src/rules-table.ts'
import { insertRules, never, numbered, test } from './private-places.ts'

test('rows that no snapshot can hold are told and counted, also when nobody told of them, and are no drift', async ({
  places,
}) => {
  const { database } = places
  await insertRules(database, numbered(300))
  const book = ChunkBook.empty()
  await readEverything(database, page => book.apply(page))
  await book.settle()
  const compared = async () => {
    const comparison = new Comparison(places, book)
    await comparison.run(never, { hurried: true })
    const counted = (await meters.unreadableGauge.get()).values[0]?.value
    return { unreadable: comparison.unreadable.toSorted(), rules: comparison.rules, drift: comparison.drift(), counted }
  }
  expect(await compared()).toEqual({ unreadable: [], rules: 300, drift: [], counted: 0 })

  await database.query(
    `INSERT INTO rules (rule_id, team_id, name, conditions, enabled)
     VALUES ('a space', 'payments', 'x', '{}', true), ('array', 'payments', 'x', '[]', true),
            ('null', 'payments', 'x', 'null', true), ('off', 'payments', 'x', '[]', false)`,
  )
  const unreadable = ['a space', 'array', 'null']
  expect(await compared()).toEqual({ unreadable, rules: 300, drift: [], counted: 3 })
  await database.query('DELETE FROM rules WHERE rule_id = ANY($1)', [unreadable])
  expect(await compared()).toEqual({ unreadable: [], rules: 300, drift: [], counted: 0 })
})
