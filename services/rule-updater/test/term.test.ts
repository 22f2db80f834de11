import { closeRedis, connectRedis } from '@tocsin/redis/connection'
import { readManifest } from '@tocsin/redis/snapshot-store'
import { targetOf } from '@tocsin/testkit/gate'
import { testServers } from '@tocsin/testkit/servers'
import { describe, expect } from 'vitest'
import { startCommandGate } from './command-gate.ts'
import { interposed } from './interposed.ts'
import {
  begunTerm,
  chunksIn,
  deleteRules,
  editRules,
  insertRules,
  never,
  newTerm,
  numbered,
  readSnapshot,
  rulesIn,
  rulesOf,
  setEnabled,
  stamps,
  test,
  waitingRows,
} from './private-places.ts'

describe('the snapshot is what Postgres holds', () => {
  test('enabled rules are in it, at their versions, and others are not', async ({ places }) => {
    await insertRules(places.database, ['rul_1', 'rul_3'])
    await insertRules(places.database, ['rul_2'], { enabled: false })
    await editRules(places.database, ['rul_3'])

    await begunTerm(places)

    const snapshot = await readSnapshot(places.redis, places.prefix)
    expect(snapshot?.manifest).toMatchObject({ version: 1, token: 1, rules: 2 })
    expect(snapshot?.rules[0]).toEqual({
      rule_id: 'rul_1',
      team_id: 'payments',
      name: 'rul_1',
      version: 1,
      endpoint_ids: [],
      conditions: { all: [{ fact: 'severity', operator: 'equal', value: 'HIGH' }] },
      notify_resolved: true,
    })
    expect(await rulesIn(places)).toEqual(['rul_1@1', 'rul_3@2'])
    expect(await stamps(places.database)).toEqual({ rul_1: 1, rul_2: 1, rul_3: 1 })
  })

  test('no rule at all makes a snapshot too', async ({ places }) => {
    await begunTerm(places)
    expect(await readSnapshot(places.redis, places.prefix)).toMatchObject({ manifest: { rules: 0 }, rules: [] })
  })

  test('created, edited, disabled, enabled and deleted rules are followed', async ({ places }) => {
    const { database } = places
    const term = await begunTerm(places)
    await insertRules(database, numbered(20))
    await term.turn(never)
    expect(await rulesIn(places)).toEqual(await rulesOf(database))

    await editRules(database, numbered(3))
    await setEnabled(database, numbered(3, 5), false)
    await deleteRules(database, numbered(3, 10))
    await term.turn(never)
    expect(await rulesIn(places)).toEqual(await rulesOf(database))

    await setEnabled(database, numbered(3, 5), true)
    await term.turn(never)
    expect(await rulesIn(places)).toEqual(await rulesOf(database))
    expect(await waitingRows(database)).toBe(0)
  })

  test('a row that no evaluator could read is left out, and keeps nobody else out', async ({ places }) => {
    await insertRules(places.database, ['rul_1', 'rul_2', 'rul 3', 'rul_4\n'])
    await places.database.query(`UPDATE rules SET conditions = '[]' WHERE rule_id = 'rul_1'`)
    const term = await begunTerm(places)
    expect(await rulesIn(places)).toEqual(['rul_2@1'])
    await editRules(places.database, ['rul_1', 'rul_2', 'rul 3'])
    await term.turn(never)
    expect(await rulesIn(places)).toEqual(['rul_2@2'])
    expect(await waitingRows(places.database)).toBe(0)
  })

  test('the text of a rule arrives as it was written', async ({ places }) => {
    await insertRules(places.database, ['rul_1'])
    const name = 'line\nend "q" \\ \u2028 ü 🙂'
    await places.database.query('UPDATE rules SET name = $1', [name])
    await begunTerm(places)
    expect((await readSnapshot(places.redis, places.prefix))?.rules[0]?.name).toBe(name)
  })

  test('more rules become more chunks, and each rule stays in one', async ({ places }) => {
    const term = await begunTerm(places)
    expect((await readManifest(places.redis, places.prefix))?.chunks).toHaveLength(2)
    await insertRules(places.database, numbered(3_000))
    await term.turn(never)
    expect((await readManifest(places.redis, places.prefix))?.chunks).toHaveLength(128)
    expect(await rulesIn(places)).toEqual(await rulesOf(places.database))
  })
})

describe('a change costs what changed', () => {
  test('one change rewrites one chunk and the manifest', async ({ places }) => {
    await using gate = await startCommandGate(targetOf(testServers().redisUrl))
    const settings = { REDIS_URL: gate.url, REDIS_TLS_CA: undefined, REDIS_KEY_PREFIX: '' }
    const redis = connectRedis(settings, places.log)
    await new Promise(resolve => redis.once('ready', resolve))
    await insertRules(places.database, numbered(3_000))
    const term = await begunTerm({ ...places, redis })
    const before = await chunksIn(places.redis, places.prefix)
    await editRules(places.database, ['rul_00007'])

    const writes: string[] = []
    gate.onWrite = command => writes.push(command) > 0
    await term.turn(never)
    // A chunk, and the script that swaps the manifest.
    expect(writes).toEqual(['set', 'eval'])
    const after = await chunksIn(places.redis, places.prefix)
    expect(after.difference(before).size).toBe(1)
    // The chunk that it takes the place of has an end, all others have none.
    const ends = await Promise.all([...after].map(chunk => places.redis.pttl(chunk)))
    expect(ends.filter(end => end > 0)).toHaveLength(1)
    await closeRedis(redis)
  })

  test('changes that arrive together are one version', async ({ places }) => {
    await insertRules(places.database, numbered(100))
    const term = await begunTerm(places)
    for (const id of numbered(100)) await editRules(places.database, [id])
    await term.turn(never)
    expect(await readManifest(places.redis, places.prefix)).toMatchObject({ version: 2, rules: 100 })
    expect(new Set(Object.values(await stamps(places.database)))).toEqual(new Set([2]))
  })

  test('a change that no evaluator can see is stamped with the snapshot that is there', async ({ places }) => {
    const term = await begunTerm(places)
    await insertRules(places.database, ['rul_1'], { enabled: false })
    await term.turn(never)
    expect(await readManifest(places.redis, places.prefix)).toMatchObject({ version: 1 })
    expect(await stamps(places.database)).toEqual({ rul_1: 1 })
  })

  test('when nothing waits, nothing is drawn or written', async ({ places }) => {
    const term = await begunTerm(places)
    expect(await term.turn(never)).toBe(false)
    await term.check(never)
    expect(await readManifest(places.redis, places.prefix)).toMatchObject({ version: 1 })
  })

  test('the manifest says when the oldest of its changes was made', async ({ places }) => {
    const term = await begunTerm(places)
    expect((await readManifest(places.redis, places.prefix))?.oldest_change_at).toBeNull()
    await insertRules(places.database, ['rul_1', 'rul_2'])
    await places.database.query(`UPDATE rule_versions SET changed_at = '2026-01-01T00:00:00Z' WHERE rule_id = 'rul_2'`)
    await term.turn(never)
    expect((await readManifest(places.redis, places.prefix))?.oldest_change_at).toBe('2026-01-01T00:00:00.000Z')
  })
})

describe('a stamp never claims what the snapshot does not hold', () => {
  test('a rule that is written while the snapshot is built waits for the next one', async ({ places }) => {
    const { database } = places
    const term = await begunTerm(
      interposed(places, 'swap', async run => {
        if (await waitingRows(database)) {
          await editRules(database, ['rul_1'])
          await insertRules(database, ['rul_3'])
        }
        return run()
      }),
    )
    await insertRules(database, ['rul_1', 'rul_2'])
    await term.turn(never)
    expect(await rulesIn(places)).toEqual(['rul_1@1', 'rul_2@1'])
    expect(await stamps(database)).toEqual({ rul_1: null, rul_2: 2, rul_3: null })
  })

  test('a transaction that is not committed holds up nobody, and is in the next snapshot whole', async ({ places }) => {
    const { database } = places
    await insertRules(database, numbered(4))
    const term = await begunTerm(places)
    await database.transaction(async transaction => {
      await editRules(transaction, numbered(2))
      await editRules(database, numbered(2, 2))
      await term.turn(never)
    })
    expect(await rulesIn(places)).toEqual(['rul_00000@1', 'rul_00001@1', 'rul_00002@2', 'rul_00003@2'])
    await term.turn(never)
    expect(await rulesIn(places)).toEqual(await rulesOf(database))
  })
})

test('a leader that has not published yet is behind nobody: its first version is above all', async ({ places }) => {
  await insertRules(places.database, ['rul_1'])
  await begunTerm(places)
  const term = await newTerm(places)
  expect(term.published).toBeUndefined()
  await term.begin(never)
  expect(term.published).toMatchObject({ version: 2, token: 2 })
})
