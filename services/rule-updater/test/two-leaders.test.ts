import { setTimeout as sleep } from 'node:timers/promises'
import { closeRedis } from '@tocsin/redis/connection'
import { readManifest } from '@tocsin/redis/snapshot-store'
import { openDatabase } from '@tocsin/testkit/private-database'
import { expect } from 'vitest'
import { LeaseLost, leaseTtlMs } from '../src/lease.ts'
import type { Places } from '../src/places.ts'
import { interposed, type Step } from './interposed.ts'
import {
  begunTerm,
  deleteRules,
  editRules,
  flush,
  insertRules,
  never,
  readSnapshot,
  rulesIn,
  rulesOf,
  stamps,
  test,
  waitingRows,
} from './private-places.ts'

/** A leader that stops in the middle of its next turn, before or after this step, until it is let go on. */
async function frozenAt(places: Places, step: Step, when: 'before' | 'after') {
  const reached = Promise.withResolvers<void>()
  const goOn = Promise.withResolvers<void>()
  let isArmed = false
  const term = await begunTerm(
    interposed(places, step, async run => {
      if (!isArmed) return run()
      isArmed = false
      const early = when === 'after' ? await run() : undefined
      reached.resolve()
      await goOn.promise
      return when === 'after' ? early : run()
    }),
  )
  return {
    /** `check`: in the turn that a look at Redis makes necessary. */
    async freeze({ check = false } = {}) {
      isArmed = true
      const ended = (check ? term.check(never) : term.turn(never)).then(
        () => undefined,
        (error: unknown) => error,
      )
      await reached.promise
      return () => {
        goOn.resolve()
        return ended
      }
    },
  }
}

for (const step of ['write', 'swap'] as const) {
  for (const when of ['before', 'after'] as const) {
    test(`a leader that was frozen ${when} its ${step} changes nothing that its successor has published`, async ({
      places,
    }) => {
      const { database, redis, prefix } = places
      await insertRules(database, ['rul_1', 'rul_2'])
      const old = await frozenAt(places, step, when)
      await editRules(database, ['rul_1'])
      const thaw = await old.freeze()

      await deleteRules(database, ['rul_2'])
      await editRules(database, ['rul_1'])
      const next = await begunTerm(places)
      const published = (await readSnapshot(redis, prefix))!
      const stamped = await stamps(database)

      const error = await thaw()
      // After its swap it has only stamps left, and those are true.
      if (step !== 'swap' || when !== 'after') expect(error).toBeInstanceOf(LeaseLost)
      expect(await readSnapshot(redis, prefix)).toEqual(published)
      expect(await stamps(database)).toEqual(stamped)
      await next.check(never)
      expect(await readManifest(redis, prefix)).toEqual(published.manifest)

      // What it wrote and did not publish is gone by itself; what is published stays.
      const unnamed = (await redis.keys(`${prefix}snapshot:chunk:*`)).filter(
        key => !published.manifest.chunks.some(chunk => key.endsWith(chunk.hash)),
      )
      for (const key of unnamed) expect(await redis.pttl(key)).toBeGreaterThan(0)
      for (const chunk of published.manifest.chunks) {
        if (chunk.hash !== '') expect(await redis.pttl(`${prefix}snapshot:chunk:${chunk.hash}`)).toBe(-1)
      }
    })
  }
}

test('frozen before its swap, and Redis flushed before its successor has repaired it: Postgres is asked who leads', async ({
  places,
}) => {
  const { database, redis, prefix } = places
  await insertRules(database, ['rul_1'])
  const old = await frozenAt(places, 'swap', 'before')
  await editRules(database, ['rul_1'])
  const thaw = await old.freeze()
  const next = await begunTerm(places)
  await flush(redis, prefix)
  expect(await thaw()).toBeInstanceOf(LeaseLost)
  expect(await readSnapshot(redis, prefix)).toBeUndefined()
  await next.check(never)
  expect(await rulesIn(places)).toEqual(['rul_1@2'])
})

test('frozen with the word that nobody else leads, past its lease: the word counts no more', async ({ places }) => {
  const { database, redis, prefix } = places
  await insertRules(database, ['rul_1'])
  const old = await frozenAt(places, 'swap', 'before')
  await flush(redis, prefix)
  const thaw = await old.freeze({ check: true })
  await editRules(database, ['rul_1'])
  await sleep(leaseTtlMs)
  const next = await begunTerm(places)
  // Emptied once more, and the chunks are there again already: nothing in Redis tells that somebody else has led.
  await redis.del(`${prefix}snapshot:current`)
  expect(await thaw()).toBeInstanceOf(LeaseLost)
  expect(await readSnapshot(redis, prefix)).toBeUndefined()
  await next.check(never)
  expect(await rulesIn(places)).toEqual(['rul_1@2'])
})

test('a leader that compares while it has lost its lease takes no chunks of its successor away', async ({ places }) => {
  const { database, redis, prefix } = places
  await insertRules(database, ['rul_1'])
  const old = await begunTerm(places)
  await editRules(database, ['rul_1'])
  await begunTerm(places)
  await old.reconcile(never)
  const { manifest } = (await readSnapshot(redis, prefix))!
  for (const { hash } of manifest.chunks) {
    if (hash !== '') expect(await redis.pttl(`${prefix}snapshot:chunk:${hash}`)).toBe(-1)
  }
})

test('two that both believe they lead, edits and flushes: versions only rise, and each snapshot is a state that Postgres had', async ({
  places,
  database: { url },
}) => {
  const { database, redis, prefix } = places
  const pairs = Array.from({ length: 6 }, (_, pair) => [`rul_${pair}_a`, `rul_${pair}_b`])
  await insertRules(database, pairs.flat())
  let editing = true
  const second = openDatabase(url)
  const own = redis.duplicate()
  const others = { ...places, database: second, redis: own }
  const lead = async (at: Places) => {
    while (editing) {
      await sleep(Math.random() * 30)
      const term = await begunTerm(at).catch(retryable)
      for (let turns = 0; turns < 8 && term; turns++) {
        const isLeader = await term.turn(never).then(() => true, retryable)
        if (!isLeader) break
        if (Math.random() < 0.02) await flush(redis, prefix)
      }
    }
  }
  const read = async () => {
    const seen = new Map<string, number>()
    let version = 0
    let snapshots = 0
    while (editing) {
      const snapshot = await readSnapshot(redis, prefix).catch(retryable)
      if (!snapshot) {
        await sleep(1)
        continue
      }
      expect(snapshot.manifest.version).toBeGreaterThanOrEqual(version)
      version = snapshot.manifest.version
      snapshots++
      const versions = new Map(snapshot.rules.map(rule => [rule.rule_id, rule.version]))
      for (const [id, now] of versions) {
        expect(now, `${id} in snapshot ${version}`).toBeGreaterThanOrEqual(seen.get(id) ?? 0)
        seen.set(id, now)
      }
      // Both of a pair always change in one transaction.
      for (const [a, b] of pairs) expect(versions.get(a!)).toBe(versions.get(b!))
    }
    return snapshots
  }
  const edit = async () => {
    for (let edits = 0; edits < 150 && editing; edits++) {
      await editRules(database, pairs[Math.floor(Math.random() * 6)]!)
      await sleep(Math.random() * 20)
    }
  }
  const stop = () => {
    editing = false
  }
  const [snapshots] = await Promise.all([read(), edit(), lead(places), lead(others)].map(task => task.finally(stop)))
  expect(snapshots).toBeGreaterThan(10)
  await begunTerm(places)
  expect(await rulesIn(places)).toEqual(await rulesOf(database))
  expect(await waitingRows(database)).toBe(0)
  await second.close()
  await closeRedis(own)
})

/** Lost to the other one, or a flush in between. */
function retryable(error: unknown): undefined {
  if (error instanceof LeaseLost) return undefined
  expect(error).toMatchObject({ retryable: true })
  return undefined
}
