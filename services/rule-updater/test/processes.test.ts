import type { Database } from '@tocsin/postgres/database'
import { chunkCountFor, chunkOf } from '@tocsin/redis/snapshot-chunk'
import { readManifest } from '@tocsin/redis/snapshot-store'
import { eventually } from '@tocsin/testkit/eventually'
import { targetOf } from '@tocsin/testkit/gate'
import { testServers } from '@tocsin/testkit/servers'
import { ServiceProcess } from '@tocsin/testkit/service-process'
import { expect } from 'vitest'
import { leaseTtlMs } from '../src/lease.ts'
import { type CommandGate, startCommandGate } from './command-gate.ts'
import {
  test as base,
  editRules,
  flush,
  insertRules,
  numbered,
  readSnapshot,
  rulesIn,
  rulesOf,
  upToDate,
} from './private-places.ts'
import { watchSnapshots } from './watch-snapshots.ts'

/** The service as the product runs it, in processes that can be killed and frozen. */
interface Fixtures {
  prefix: string
  /** Between the updaters of this test and Redis. */
  gate: CommandGate
  /** Runs until the test ends; `viaGate`: everything it writes goes through the gate. */
  startUpdater: (options?: { viaGate?: boolean }) => Promise<ServiceProcess>
}

const test = base.extend<Fixtures>({
  prefix: async ({ environment, redis }, use) => {
    const prefix = environment.REDIS_KEY_PREFIX!
    await use(prefix)
    await flush(redis, prefix)
  },

  // biome-ignore lint/correctness/noEmptyPattern: vitest reads the names of the fixtures that a fixture needs from here
  gate: async ({}, use) => {
    await using gate = await startCommandGate(targetOf(testServers().redisUrl))
    await use(gate)
  },

  startUpdater: async ({ environment, gate, onTestFailed }, use) => {
    const started: ServiceProcess[] = []
    onTestFailed(() => console.error(started.map(updater => updater.recentLog()).join('\n')))
    await use(async ({ viaGate = false } = {}) => {
      const own = viaGate ? { REDIS_URL: gate.url } : {}
      const updater = new ServiceProcess('rule-updater', { ...environment, ...own })
      started.push(updater)
      await updater.start()
      return updater
    })
    await Promise.all(started.map(updater => updater.end('SIGKILL')))
  },
})

/** Some start a dozen processes, one after the other. */
const timeout = 120_000

const ids = numbered(64)
const chunkAt = (id: string, rules: number) => chunkOf(id, chunkCountFor(rules))
/** In three different chunks. */
const edited = [...new Map(ids.map(id => [chunkAt(id, 64), id])).values()].slice(0, 3)

test('kill -9 between any two writes of a publication: readers keep a whole snapshot, the next leader repairs', {
  timeout,
}, async ({ startUpdater, gate, database, redis, prefix }) => {
  await insertRules(database, ids)
  for (let writes = 0, survived = false; !survived; writes++) {
    gate.onWrite = () => true
    const updater = await startUpdater({ viaGate: true })
    await leads(database, updater)
    await upToDate(database, redis, prefix)
    const before = await rulesOf(database)

    let left = writes
    const killed = Promise.withResolvers<void>()
    gate.onWrite = async () => {
      if (left-- > 0) return true
      await updater.end('SIGKILL')
      killed.resolve()
      return false
    }
    await editRules(database, edited)
    survived = await Promise.race([
      killed.promise.then(() => false),
      upToDate(database, redis, prefix).then(() => left >= 0),
    ])
    // Three chunks and the swap. Whoever dies before the last has changed nothing that anybody can see.
    expect(survived).toBe(writes === 4)
    expect(await rulesIn({ redis, prefix })).toEqual(survived ? await rulesOf(database) : before)
    await updater.end('SIGKILL')
    await expireLease(database)
  }
})

test('kill -9 between any two writes of the first publication: there is no snapshot, or a whole one', {
  timeout,
}, async ({ startUpdater, gate, database, redis, prefix }) => {
  await insertRules(database, numbered(8))
  const chunks = new Set(numbered(8).map(id => chunkAt(id, 8))).size
  for (let writes = 0, survived = false; !survived; writes++) {
    await flush(redis, prefix)
    let left = writes
    const killed = Promise.withResolvers<void>()
    gate.onWrite = async () => {
      if (left-- > 0) return true
      const updater = await starting
      await updater.end('SIGKILL')
      killed.resolve()
      return false
    }
    const starting = startUpdater({ viaGate: true })
    survived = await Promise.race([
      killed.promise.then(() => false),
      upToDate(database, redis, prefix).then(() => true),
    ])
    expect(survived).toBe(writes === chunks + 1)
    expect(await rulesIn({ redis, prefix })).toEqual(survived ? await rulesOf(database) : undefined)
    await (await starting).end('SIGKILL')
    await expireLease(database)
  }
})

test('after kill -9 of the leader the other one has published within 5 s', async ({
  startUpdater,
  database,
  redis,
  prefix,
}) => {
  // What is left of the 5 s when a lease has run out is for reading, packing and a busy machine.
  expect(leaseTtlMs).toBeLessThanOrEqual(2_500)
  await insertRules(database, ids)
  const [leader, standby] = await bothRun(startUpdater, database)
  await upToDate(database, redis, prefix)
  expect(await standing(leader)).toBe('leader')
  expect(await standing(standby)).toBe('standby')
  const { token } = (await readManifest(redis, prefix))!
  await leader.end('SIGKILL')
  const killedAt = performance.now()
  await editRules(database, edited)
  await upToDate(database, redis, prefix)
  // Twice that, because the tests share their cores.
  expect(performance.now() - killedAt).toBeLessThan(10_000)
  expect((await readManifest(redis, prefix))!.token).toBe(token + 1)
  await leads(database, standby)
  expect(await standing(standby)).toBe('leader')
})

test('a clean stop hands over at once', async ({ startUpdater, database, redis, prefix }) => {
  const [leader, standby] = await bothRun(startUpdater, database)
  await leader.end('SIGTERM')
  await leads(database, standby)
  await editRules(database, edited)
  await upToDate(database, redis, prefix)
})

test('SIGSTOP past the lease before any write of a publication, then SIGCONT: nobody ever sees anything older', {
  timeout,
}, async ({ startUpdater, gate, database, redis, prefix }) => {
  await insertRules(database, ids)
  await using watch = watchSnapshots(redis, prefix)
  // Three chunks and the swap. The version is drawn right before the swap, so the last is between draw and swap.
  for (const writes of [0, 1, 2, 3]) {
    gate.onWrite = () => true
    const old = await startUpdater({ viaGate: true })
    await leads(database, old)
    await upToDate(database, redis, prefix)

    let left = writes
    const frozen = Promise.withResolvers<void>()
    const goOn = Promise.withResolvers<void>()
    gate.onWrite = async () => {
      if (left-- > 0) return true
      if (left === -1) {
        process.kill(old.pid!, 'SIGSTOP')
        frozen.resolve()
      }
      await goOn.promise
      return true
    }
    await editRules(database, edited)
    await frozen.promise

    const next = await startUpdater()
    // The last time it runs out by itself.
    if (writes < 3) await expireLease(database)
    await leads(database, next)
    await editRules(database, edited.slice(0, 1))
    await upToDate(database, redis, prefix)

    const published = (await readSnapshot(redis, prefix))!
    process.kill(old.pid!, 'SIGCONT')
    goOn.resolve()
    await eventually(async () => expect(await standing(old)).toBe('standby'))
    const now = (await readSnapshot(redis, prefix))!
    expect(now.manifest).toEqual(published.manifest)
    expect(now.rules).toEqual(published.rules)
    await eventually(async () => expect(await lost(old)).toBe(1))
    await editRules(database, edited)
    await upToDate(database, redis, prefix)
    expect((await readSnapshot(redis, prefix))!.manifest.token).toBe(published.manifest.token)
    for (const updater of [old, next]) await updater.end('SIGKILL')
    await expireLease(database)
  }
  expect(watch.snapshots).toBeGreaterThan(8)
})

const expireLease = (database: Database) => database.query(`UPDATE snapshot_lease SET lease_until = '-infinity'`)

/** Its process is named in the lease. */
const leads = (database: Database, updater: ServiceProcess) =>
  eventually(
    async () => {
      const { rows } = await database.query(
        'SELECT leader_id FROM snapshot_lease WHERE lease_until > clock_timestamp()',
      )
      expect(rows).toEqual([{ leader_id: expect.stringContaining(`-${updater.pid}-`) }])
    },
    { withinMs: 20_000 },
  )

async function bothRun(
  startUpdater: Fixtures['startUpdater'],
  database: Database,
): Promise<[leader: ServiceProcess, standby: ServiceProcess]> {
  const leader = await startUpdater()
  await leads(database, leader)
  return [leader, await startUpdater()]
}

async function standing(updater: ServiceProcess): Promise<unknown> {
  const status = await (await fetch(`${updater.url}/status`)).json()
  return (status as { role: string }).role
}

async function lost(updater: ServiceProcess): Promise<number> {
  const text = await (await fetch(`${updater.url}/metrics`)).text()
  return Number(/^tocsin_snapshot_leases_lost_total (\d+)/m.exec(text)?.[1])
}
