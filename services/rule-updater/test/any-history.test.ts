import type { SnapshotRule } from '@tocsin/contracts/snapshot'
import type { Queryable } from '@tocsin/postgres/database'
import fc from 'fast-check'
import { expect } from 'vitest'
import type { Places } from '../src/places.ts'
import { NewsListener } from './news-listener.ts'
import {
  begunTerm,
  deleteRules,
  editRules,
  flush,
  insertRules,
  never,
  readSnapshot,
  setEnabled,
  test,
  waitingRows,
} from './private-places.ts'
import { type Fault, faults, happened, Updater } from './unsteady-updater.ts'

/** Everything that may happen, one after the other; `by` is one of two updaters, each of which may believe it leads. */
type Event =
  | { what: 'insert' | 'edit' | 'enable' | 'disable' | 'delete'; rules: number[] }
  | {
      what: 'take over' | 'turn' | 'check' | 'compare' | 'freeze at write' | 'freeze at swap' | 'go on' | Fault
      by: 0 | 1
    }
  | { what: 'flush' | 'lose a chunk' | 'damage a chunk' | 'read' }

const rules = fc.uniqueArray(fc.integer({ min: 0, max: 11 }), { minLength: 1, maxLength: 4 })
const by = fc.constantFrom<(0 | 1)[]>(0, 1)
const events = fc.array(
  fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({ what: fc.constantFrom('insert', 'edit', 'enable', 'disable', 'delete'), rules }),
    },
    {
      weight: 10,
      arbitrary: fc.record({
        what: fc.constantFrom(
          'take over',
          'turn',
          'turn',
          'check',
          'compare',
          'freeze at write',
          'freeze at swap',
          'go on',
          ...faults,
        ),
        by,
      }),
    },
    { weight: 2, arbitrary: fc.record({ what: fc.constantFrom('flush', 'lose a chunk', 'damage a chunk') }) },
    { weight: 6, arbitrary: fc.record({ what: fc.constant('read') }) },
  ) as fc.Arbitrary<Event>,
  { minLength: 10, maxLength: 40 },
)

const edits: Record<string, (database: Queryable, ids: readonly string[]) => Promise<void>> = {
  edit: editRules,
  delete: deleteRules,
  enable: (database, ids) => setEnabled(database, ids, true),
  disable: (database, ids) => setEnabled(database, ids, false),
  async insert(database, ids) {
    const { rows } = await database.query<{ rule_id: string }>('SELECT DISTINCT rule_id FROM rule_versions')
    const known = new Set(rows.map(row => row.rule_id))
    const fresh = ids.filter(id => !known.has(id))
    if (fresh.length > 0) await insertRules(database, fresh)
  },
}

/** `rul_1@2 rul_1+`: every edit makes another name, so a snapshot of old contents under a new version shows. */
const inWords = (rules: readonly { rule_id: string; version: number; name: string }[]) =>
  rules.map(({ rule_id, version, name }) => `${rule_id}@${version} ${name}`)

async function stateOf(database: Queryable): Promise<string[]> {
  const { rows } = await database.query<{ rule_id: string; version: number; name: string }>(
    'SELECT rule_id, version, name FROM rules WHERE enabled ORDER BY rule_id COLLATE "C"',
  )
  return inWords(rows)
}

/** What is seen must be a state that the database had, never an earlier one than before. */
class Witness {
  readonly #history: readonly string[][]
  #version = 0
  #at = 0

  /** Each state of the database, in order, also those that are still to come. */
  constructor(history: readonly string[][]) {
    this.#history = history
  }

  saw(version: number, rules: SnapshotRule[]): void {
    const seen = inWords(rules)
    expect(version).toBeGreaterThanOrEqual(this.#version)
    const at = this.#history.findIndex((state, index) => index >= this.#at && state.join() === seen.join())
    if (at === -1) throw new Error(`${seen} is no state since ${this.#history[this.#at]}`)
    this.#version = version
    this.#at = at
  }
}

let newsUsed = 0

async function happen(places: Places, plan: readonly Event[]): Promise<void> {
  const { database, redis, prefix } = places
  await flush(redis, prefix)
  await database.query('TRUNCATE rules, rule_versions')
  const updaters = [new Updater(places), new Updater(places)] as const
  const history: string[][] = [[]]
  const [reader, hearer] = [new Witness(history), new Witness(history)]
  await using listener = await NewsListener.listen(places)
  const wrong: unknown[] = []
  listener.onRules = (version, rules) => {
    try {
      hearer.saw(version, rules)
    } catch (error) {
      wrong.push(error)
    }
  }
  const read = async () => {
    const snapshot = await readSnapshot(redis, prefix).catch(error => {
      // A chunk that was lost or damaged, and not put back yet.
      expect(error).toMatchObject({ retryable: true })
      return undefined
    })
    if (snapshot === undefined) return
    reader.saw(snapshot.manifest.version, snapshot.rules)
    listener.read(snapshot)
  }
  for (const event of plan) {
    if ('rules' in event) {
      await edits[event.what]!(
        database,
        event.rules.map(rule => `rul_${rule}`),
      )
      history.push(await stateOf(database))
    } else if ('by' in event) await updaters[event.by].do(event.what)
    else if (event.what === 'flush') await flush(redis, prefix)
    else if (event.what === 'read') await read()
    else await spoilChunk(places, event.what)
    if (listener.isBehind) await read()
  }
  for (const updater of updaters) {
    await updater.goOn()
    await read()
  }
  // Whatever happened, the next leader puts it right.
  const last = await begunTerm(places)
  await last.reconcile(never)
  await read()
  expect(inWords((await readSnapshot(redis, prefix))!.rules)).toEqual(await stateOf(database))
  expect(await waitingRows(database)).toBe(0)
  expect(wrong).toEqual([])
  newsUsed += listener.used
}

async function spoilChunk({ redis, prefix }: Places, what: 'lose a chunk' | 'damage a chunk'): Promise<void> {
  const [chunk] = await redis.keys(`${prefix}snapshot:chunk:*`)
  if (chunk === undefined) return
  if (what === 'lose a chunk') await redis.del(chunk)
  else await redis.set(chunk, 'damaged', 'KEEPTTL')
}

const timeout = 300_000
const numRuns = process.env.TOCSIN_TEST_DEEP ? 1_500 : 120

test('whatever happens to two updaters, Redis and the rules: each snapshot that is seen or told was a state of Postgres, and none is older than the one before', {
  timeout,
}, async ({ places }) => {
  await fc.assert(
    fc.asyncProperty(events, plan => happen(places, plan)),
    { numRuns },
  )
  for (const fault of faults) expect(happened.get(fault), fault).toBeGreaterThan(numRuns / 10)
  expect(newsUsed).toBeGreaterThan(numRuns / 40)
})
