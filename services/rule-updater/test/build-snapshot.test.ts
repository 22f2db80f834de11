import { setTimeout as sleep } from 'node:timers/promises'
import type { Redis } from '@tocsin/redis/connection'
import { heartbeat } from '@tocsin/redis/evaluator-registry'
import { readManifest, readSnapshot } from '@tocsin/redis/snapshot-store'
import { describe, expect } from 'vitest'
import { buildSnapshot, isBehind, type Places } from '../src/build-snapshot.ts'
import { editRule, flush, insertRule, stamps, test } from './private-places.ts'

describe('the snapshot is what Postgres holds', () => {
  test('enabled rules are in it, at their versions, and others are not', async ({ places }) => {
    await insertRule(places.database, 'rul_1')
    await insertRule(places.database, 'rul_2', { enabled: false })
    await insertRule(places.database, 'rul_3')
    await editRule(places.database, 'rul_3')

    expect(await buildSnapshot(places)).toEqual({ version: 1, rules: 2, published: true })

    const snapshot = await readSnapshot(places.redis, places.prefix)
    expect(snapshot?.manifest).toMatchObject({ version: 1, rules: 2 })
    expect(snapshot?.rules.map(rule => [rule.rule_id, rule.version])).toEqual([
      ['rul_1', 1],
      ['rul_3', 2],
    ])
    expect(await stamps(places.database)).toEqual({ rul_1: 1, rul_2: 1, rul_3: 1 })
  })

  test('no rule at all makes a snapshot too', async ({ places }) => {
    expect(await isBehind(places)).toBe(true)
    expect(await buildSnapshot(places)).toEqual({ version: 1, rules: 0, published: true })
    expect(await readSnapshot(places.redis, places.prefix)).toMatchObject({ rules: [] })
    expect(await isBehind(places)).toBe(false)
  })

  test('a row that no evaluator could read is left out, and keeps nobody else out', async ({ places }) => {
    await insertRule(places.database, 'rul_1')
    await insertRule(places.database, 'rul_2')
    await places.database.query(`UPDATE rules SET conditions = '[]' WHERE rule_id = 'rul_1'`)
    expect(await buildSnapshot(places)).toMatchObject({ rules: 1 })
    expect((await readSnapshot(places.redis, places.prefix))?.rules.map(rule => rule.rule_id)).toEqual(['rul_2'])
  })

  test('a deleted rule is out of the next one', async ({ places }) => {
    await insertRule(places.database, 'rul_1')
    await buildSnapshot(places)
    await places.database.query('DELETE FROM rules')
    expect(await buildSnapshot(places)).toEqual({ version: 2, rules: 0, published: true })
  })
})

describe('a version is drawn only when something changed', () => {
  test('the same rules are not published again', async ({ places }) => {
    await insertRule(places.database, 'rul_1')
    await buildSnapshot(places)
    expect(await buildSnapshot(places)).toEqual({ version: 1, rules: 1, published: false })
  })

  test('a change that no evaluator can see is stamped with the snapshot that is there', async ({ places }) => {
    await insertRule(places.database, 'rul_1')
    await buildSnapshot(places)
    await insertRule(places.database, 'rul_2', { enabled: false })
    expect(await isBehind(places)).toBe(true)

    expect(await buildSnapshot(places)).toEqual({ version: 1, rules: 1, published: false })
    expect(await stamps(places.database)).toEqual({ rul_1: 1, rul_2: 1 })
    expect(await isBehind(places)).toBe(false)
  })
})

describe('a stamp never claims what the snapshot does not hold', () => {
  test('a rule that is written while the snapshot is built waits for the next one', async ({ places }) => {
    await insertRule(places.database, 'rul_1')
    await insertRule(places.database, 'rul_2')
    const meanwhile = interposed(places, 'set', async run => {
      await editRule(places.database, 'rul_1')
      await insertRule(places.database, 'rul_3')
      // Without counting its version up: what counts is that the row was written.
      await places.database.query(`UPDATE rules SET name = 'renamed' WHERE rule_id = 'rul_2'`)
      return run()
    })
    await buildSnapshot(meanwhile)

    expect((await readSnapshot(places.redis, places.prefix))?.rules.map(rule => rule.name)).toEqual(['rul_1', 'rul_2'])
    expect(await stamps(places.database)).toEqual({ rul_1: null, rul_2: null, rul_3: null })

    expect(await isBehind(places)).toBe(true)
    await buildSnapshot(places)
    expect(await stamps(places.database)).toEqual({ rul_1: 2, rul_2: 2, rul_3: 2 })
  })

  test('a rule that somebody holds locked stops neither the snapshot nor its writer', async ({ places }) => {
    await insertRule(places.database, 'rul_1')
    await insertRule(places.database, 'rul_2')
    await places.database.transaction(async transaction => {
      await transaction.query(`UPDATE rules SET version = 2 WHERE rule_id = 'rul_1'`)
      expect(await buildSnapshot(places)).toMatchObject({ published: true })
    })
    expect(await stamps(places.database)).toEqual({ rul_1: null, rul_2: 1 })
  })
})

describe('two builders', () => {
  test('the one that comes later waits, and has the later rules under the higher version', async ({ places }) => {
    await insertRule(places.database, 'rul_1')
    let second: Promise<unknown> | undefined
    // The first Redis command of a build comes after it read the rules and before it draws its version.
    const slow = interposed(places, 'get', async run => {
      if (second === undefined) {
        await editRule(places.database, 'rul_1')
        second = buildSnapshot(places)
        await Promise.race([second, sleep(200)])
      }
      return run()
    })
    expect(await buildSnapshot(slow)).toEqual({ version: 1, rules: 1, published: true })
    expect(await second).toEqual({ version: 2, rules: 1, published: true })
    expect((await readSnapshot(places.redis, places.prefix))?.rules[0]?.version).toBe(2)
    expect(await stamps(places.database)).toEqual({ rul_1: 2 })
  })
})

describe('a crash at any point is repaired by the next check', () => {
  test.for(['set', 'eval'] as const)(
    'before Redis did %s: the version that was drawn is passed over',
    async (step, { places }) => {
      await buildSnapshot(places)
      await insertRule(places.database, 'rul_1')
      // 'eval' fails at its first call inside the build, which reads the registry, and then at the swap.
      await expect(buildSnapshot(interposed(places, step, crash))).rejects.toThrow('crash')

      expect(await readManifest(places.redis, places.prefix)).toMatchObject({ version: 1 })
      expect(await stamps(places.database)).toEqual({ rul_1: null })
      expect(await isBehind(places)).toBe(true)
      const { version } = await buildSnapshot(places)
      expect(await stamps(places.database)).toEqual({ rul_1: version })
      expect(await isBehind(places)).toBe(false)
    },
  )

  test('a version that was drawn and never published makes it behind, though no rule waits', async ({ places }) => {
    await buildSnapshot(places)
    await places.database.query(`SELECT nextval('snapshot_versions')`)
    expect(await isBehind(places)).toBe(true)
    expect(await buildSnapshot(places)).toMatchObject({ version: 3, published: true })
    expect(await isBehind(places)).toBe(false)
  })

  test('between swap and commit: the rules get their stamps without another snapshot', async ({ places }) => {
    await insertRule(places.database, 'rul_1')
    const dying = interposed(places, 'eval', async (run, script) => {
      const outcome = await run()
      if (script.includes('PUBLISH')) await crash()
      return outcome
    })
    await expect(buildSnapshot(dying)).rejects.toThrow('crash')
    expect(await readManifest(places.redis, places.prefix)).toMatchObject({ version: 1, rules: 1 })
    expect(await stamps(places.database)).toEqual({ rul_1: null })

    expect(await isBehind(places)).toBe(true)
    expect(await buildSnapshot(places)).toEqual({ version: 1, rules: 1, published: false })
    expect(await stamps(places.database)).toEqual({ rul_1: 1 })
  })
})

describe('Redis and Postgres may lose what they like', () => {
  test('a flushed Redis gets a higher version, not the first one again', async ({ places }) => {
    await insertRule(places.database, 'rul_1')
    await buildSnapshot(places)
    await flush(places.redis, places.prefix)
    expect(await isBehind(places)).toBe(true)
    expect(await buildSnapshot(places)).toEqual({ version: 2, rules: 1, published: true })
  })

  test('a body that was evicted is noticed by the check, one that was damaged by a build', async ({ places }) => {
    await buildSnapshot(places)
    await places.redis.del(`${places.prefix}snapshot:1`)
    expect(await isBehind(places)).toBe(true)
    expect(await buildSnapshot(places)).toMatchObject({ version: 2, published: true })

    await places.redis.set(`${places.prefix}snapshot:2`, '[{}]')
    expect(await isBehind(places)).toBe(false)
    expect(await buildSnapshot(places)).toMatchObject({ version: 3, published: true })
  })

  test('a pointer that is no manifest is replaced', async ({ places }) => {
    await places.redis.set(`${places.prefix}snapshot:current`, 'nonsense')
    expect(await isBehind(places)).toBe(true)
    await buildSnapshot(places)
    expect(await readSnapshot(places.redis, places.prefix)).toMatchObject({ rules: [] })
  })

  test('a Postgres restored to an earlier day goes on above the version that readers have seen', async ({ places }) => {
    await insertRule(places.database, 'rul_1')
    await buildSnapshot(places)
    await places.redis.set(
      `${places.prefix}snapshot:current`,
      JSON.stringify({ version: 900, hash: 'of another history', rules: 5, built_at: new Date().toISOString() }),
    )
    expect(await isBehind(places)).toBe(true)
    expect(await buildSnapshot(places)).toMatchObject({ version: 901, published: true })
    expect(await isBehind(places)).toBe(false)
  })

  test('when both were lost, it goes on above what evaluators still match with', async ({ places }) => {
    await buildSnapshot(places)
    await heartbeat(places.redis, places.prefix, { evaluator_id: 'old', snapshot_version: 70 })
    expect(await isBehind(places)).toBe(true)
    await insertRule(places.database, 'rul_1')
    expect(await buildSnapshot(places)).toMatchObject({ version: 71 })
    expect(await isBehind(places)).toBe(false)
  })
})

const crash = () => Promise.reject(new Error('crash'))

/** The same places, but what Redis is asked with this command goes through `around`. */
function interposed(
  places: Places,
  command: 'get' | 'set' | 'eval',
  around: (run: () => Promise<unknown>, script: string) => Promise<unknown>,
): Places {
  const redis = new Proxy(places.redis, {
    get(target, name: keyof Redis) {
      const member = target[name]
      if (typeof member !== 'function') return member
      const call = (member as (...args: unknown[]) => Promise<unknown>).bind(target)
      if (name !== command) return call
      return (...args: unknown[]) => around(() => call(...args), String(args[0]))
    },
  })
  return { ...places, redis }
}
