import { setTimeout as sleep } from 'node:timers/promises'
import type { SnapshotRule } from '@tocsin/contracts/snapshot'
import { eventually } from '@tocsin/testkit/eventually'
import { describe, expect, vi } from 'vitest'
import {
  bodyGraceMs,
  encodeSnapshot,
  findIntactManifest,
  publishSnapshot,
  readManifest,
  readSnapshot,
  subscribeToSnapshots,
} from '../src/snapshot-store.ts'
import { deleteKeys, log, test } from './private-redis.ts'

describe('what is written is what is read', () => {
  test('a reader gets the rules that were published, with version, count and hash', async ({ redis, prefix }) => {
    const body = encodeSnapshot(rulesOf(7, 3))

    expect(await publishSnapshot(redis, prefix, 7, body)).toEqual({ published: true })

    const snapshot = await readSnapshot(redis, prefix)
    expect(snapshot?.rules).toEqual(rulesOf(7, 3))
    expect(snapshot?.manifest).toMatchObject({ version: 7, rules: 3, hash: body.hash })
  })

  test('no rule at all is a snapshot too, and no snapshot is something else', async ({ redis, prefix }) => {
    expect(await readSnapshot(redis, prefix)).toBeUndefined()

    await publishSnapshot(redis, prefix, 1, encodeSnapshot([]))

    expect(await readSnapshot(redis, prefix)).toMatchObject({ manifest: { version: 1, rules: 0 }, rules: [] })
  })

  test('the same rules have the same hash, another version of a rule has another', () => {
    expect(encodeSnapshot(rulesOf(1, 2)).hash).toBe(encodeSnapshot(rulesOf(1, 2)).hash)
    expect(encodeSnapshot(rulesOf(1, 2)).hash).not.toBe(encodeSnapshot(rulesOf(2, 2)).hash)
  })
})

describe('an older version never replaces a newer one', () => {
  test('it is refused, told which version is there, and changes nothing', async ({ redis, prefix }) => {
    await publishSnapshot(redis, prefix, 10, encodeSnapshot(rulesOf(10, 2)))

    for (const version of [9, 10]) {
      const outcome = await publishSnapshot(redis, prefix, version, encodeSnapshot(rulesOf(10, 2)))
      expect(outcome).toEqual({ published: false, current_version: 10 })
    }

    expect((await readSnapshot(redis, prefix))?.rules).toEqual(rulesOf(10, 2))
  })

  test('versions compare as numbers, also where doubles print as 1e+15', async ({ redis, prefix }) => {
    const version = 1_000_000_000_000_000
    await publishSnapshot(redis, prefix, 9, encodeSnapshot([]))
    expect(await publishSnapshot(redis, prefix, version, encodeSnapshot([]))).toEqual({ published: true })
    expect(await publishSnapshot(redis, prefix, version - 1, encodeSnapshot([]))).toEqual({
      published: false,
      current_version: version,
    })
    expect(await publishSnapshot(redis, prefix, version + 1, encodeSnapshot([]))).toEqual({ published: true })
    expect(await redis.pttl(`${prefix}snapshot:${version}`)).toBeGreaterThan(0)
  })

  test('two writers at once: the pointer ends at the highest version and only ever rose', async ({
    connect,
    redis,
    prefix,
  }) => {
    const versions = shuffled(Array.from({ length: 60 }, (_, index) => index + 1))
    const seen: number[] = []
    const writers = [await connect(), await connect()]
    const done = Promise.all(
      writers.map(async (writer, index) => {
        for (const version of versions.filter(version => version % 2 === index)) {
          await publishSnapshot(writer, prefix, version, encodeSnapshot(rulesOf(version, 1)))
        }
      }),
    )
    await whileRunning(done, async () => {
      seen.push((await readManifest(redis, prefix))?.version ?? 0)
    })

    expect((await readManifest(redis, prefix))?.version).toBe(60)
    expect(seen).toEqual(seen.toSorted((a, b) => a - b))
  })
})

describe('readers see whole snapshots only', () => {
  test('while writers race, every snapshot read is exactly one that was written', async ({
    connect,
    redis,
    prefix,
  }) => {
    let version = 0
    const written = new Map<number, SnapshotRule[]>()
    const write = async (writes: number) => {
      const writer = await connect()
      for (let n = 0; n < writes; n++) {
        const rules = rulesOf(++version, Math.floor(Math.random() * 200))
        written.set(version, rules)
        await publishSnapshot(writer, prefix, version, encodeSnapshot(rules)).catch(error => {
          // The flush fell between body and swap: the writer is told instead of pointing readers to nothing.
          expect(error).toMatchObject({ code: 'snapshot_lost', retryable: true })
        })
        if (Math.random() < 0.05) await deleteKeys(writer, prefix)
      }
    }
    let reads = 0
    await whileRunning(Promise.all([write(80), write(80), write(80)]), async () => {
      const snapshot = await readSnapshot(redis, prefix).catch(error => {
        // A flush between manifest and body. It is told as such, and never as an empty or a shorter snapshot.
        expect(error).toMatchObject({ code: 'bad_snapshot', retryable: true })
      })
      if (snapshot === undefined) return
      reads++
      expect(snapshot.rules).toEqual(written.get(snapshot.manifest.version))
    })
    expect(reads).toBeGreaterThan(20)
  })

  test('a body that is missing or not what was written is an error, not a snapshot', async ({ redis, prefix }) => {
    await publishSnapshot(redis, prefix, 3, encodeSnapshot(rulesOf(3, 5)))
    expect(await findIntactManifest(redis, prefix, { readBody: true })).toMatchObject({ version: 3 })

    await redis.set(`${prefix}snapshot:3`, JSON.stringify(rulesOf(3, 4)))
    await expect(readSnapshot(redis, prefix)).rejects.toMatchObject({ code: 'bad_snapshot', retryable: true })
    expect(await findIntactManifest(redis, prefix)).toMatchObject({ version: 3 })
    expect(await findIntactManifest(redis, prefix, { readBody: true })).toBeUndefined()

    await redis.del(`${prefix}snapshot:3`)
    await expect(readSnapshot(redis, prefix)).rejects.toThrow('no body')
    expect(await findIntactManifest(redis, prefix)).toBeUndefined()
  })

  test('rules of a shape that this program does not know are an error, whole', async ({ redis, prefix }) => {
    const strange = [{ ...rulesOf(1, 1)[0], conditions: 'later' }] as never
    await publishSnapshot(redis, prefix, 1, encodeSnapshot(strange))
    await expect(readSnapshot(redis, prefix)).rejects.toMatchObject({ code: 'bad_snapshot' })
  })

  test('a pointer that nobody can read is replaced by the next snapshot', async ({ redis, prefix }) => {
    for (const nonsense of ['{"version":', '[]', '"8"', '{"version":"x"}', 'null']) {
      await redis.set(`${prefix}snapshot:current`, nonsense)
      await expect(readSnapshot(redis, prefix)).rejects.toMatchObject({ code: 'bad_snapshot' })
      expect(await findIntactManifest(redis, prefix)).toBeUndefined()
      expect(await publishSnapshot(redis, prefix, 4, encodeSnapshot([]))).toEqual({ published: true })
    }
  })
})

describe('Redis holds no more than it must', () => {
  test('a replaced body stays for readers that just read its manifest, then goes', async ({ redis, prefix }) => {
    await publishSnapshot(redis, prefix, 1, encodeSnapshot(rulesOf(1, 1)))
    expect(await redis.pttl(`${prefix}snapshot:1`)).toBe(-1)
    await publishSnapshot(redis, prefix, 2, encodeSnapshot(rulesOf(2, 1)))

    const left = await redis.pttl(`${prefix}snapshot:1`)
    expect(left).toBeGreaterThan(bodyGraceMs / 2)
    expect(left).toBeLessThanOrEqual(bodyGraceMs)
    expect(await redis.pttl(`${prefix}snapshot:2`)).toBe(-1)
  })

  test('the body of a snapshot that was refused goes by itself', async ({ redis, prefix }) => {
    await publishSnapshot(redis, prefix, 2, encodeSnapshot([]))
    await publishSnapshot(redis, prefix, 1, encodeSnapshot(rulesOf(1, 1)))
    expect(await redis.pttl(`${prefix}snapshot:1`)).toBeGreaterThan(0)
  })
})

describe('being told', () => {
  test('a subscriber hears of a swap, and not of one that was refused', async ({ connect, redis, prefix }) => {
    const wake = vi.fn<() => void>()
    subscribeToSnapshots(await connect(), prefix, log, wake)
    await eventually(() => expect(wake).toHaveBeenCalledTimes(1))

    await publishSnapshot(redis, prefix, 2, encodeSnapshot([]))
    await eventually(() => expect(wake).toHaveBeenCalledTimes(2))
    await publishSnapshot(redis, prefix, 1, encodeSnapshot([]))
    await sleep(50)
    expect(wake).toHaveBeenCalledTimes(2)
  })

  test('a subscriber whose connection was cut is woken when it is back, and hears again', async ({
    connect,
    redis,
    prefix,
  }) => {
    const subscriber = await connect()
    const id = await subscriber.client('ID')
    const wake = vi.fn<() => void>()
    subscribeToSnapshots(subscriber, prefix, log, wake)
    await eventually(() => expect(wake).toHaveBeenCalledTimes(1))

    await redis.client('KILL', 'ID', id)
    await eventually(() => expect(wake).toHaveBeenCalledTimes(2))
    await publishSnapshot(redis, prefix, 1, encodeSnapshot([]))
    await eventually(() => expect(wake).toHaveBeenCalledTimes(3))
  })
})

/** Rules that tell by themselves which version and how many of them they belong to. */
function rulesOf(version: number, count: number): SnapshotRule[] {
  return Array.from({ length: count }, (_, index) => ({
    rule_id: `rul_${index}`,
    team_id: 'payments',
    name: `rule ${index} of ${count} — Ünïcode`,
    version,
    endpoint_ids: [],
    conditions: { all: [{ fact: 'severity', operator: 'equal', value: 'HIGH' }] },
    notify_resolved: true,
  }))
}

function shuffled<T>(items: T[]): T[] {
  return items
    .map(item => ({ item, at: Math.random() }))
    .sort((a, b) => a.at - b.at)
    .map(({ item }) => item)
}

async function whileRunning(work: Promise<unknown>, look: () => Promise<void>): Promise<void> {
  let running = true
  const ended = work.finally(() => {
    running = false
  })
  while (running) await look()
  await ended
}
