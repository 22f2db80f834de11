import { setTimeout as sleep } from 'node:timers/promises'
import type { Manifest } from '@tocsin/contracts/snapshot'
import { eventually } from '@tocsin/testkit/eventually'
import { describe, expect, vi } from 'vitest'
import { subscribeToSnapshots } from '../src/snapshot-news.ts'
import { readManifest, readVersion, swapManifest, writeChunks } from '../src/snapshot-store.ts'
import { deleteKeys, log, test } from './private-redis.ts'
import { chunkKey, publish, readSnapshot, rulesOf, snapshotOf, whileRunning } from './snapshots.ts'

describe('what is written is what is read', () => {
  test('a reader gets the rules that were published, with the manifest', async ({ redis, prefix }) => {
    const snapshot = await snapshotOf(rulesOf(7, 30), { version: 7, token: 2 })

    expect(await publish(redis, prefix, snapshot)).toBe('published')

    expect(await readSnapshot(redis, prefix)).toEqual({ manifest: snapshot.manifest, rules: rulesOf(7, 30) })
    expect(await readVersion(redis, prefix)).toBe(7)
  })

  test('no rule at all is a snapshot too, and no snapshot is something else', async ({ redis, prefix }) => {
    expect(await readSnapshot(redis, prefix)).toBeUndefined()
    expect(await readVersion(redis, prefix)).toBeUndefined()

    expect(await publish(redis, prefix, await snapshotOf([]))).toBe('published')

    expect(await readSnapshot(redis, prefix)).toMatchObject({ manifest: { version: 1, rules: 0 }, rules: [] })
  })

  test('a change writes its chunk and leaves the others as they are', async ({ redis, prefix }) => {
    const first = await snapshotOf(rulesOf(1, 40))
    await publish(redis, prefix, first)
    const rules = rulesOf(1, 40).with(5, { ...rulesOf(1, 40)[5]!, version: 2 })
    const second = await snapshotOf(rules, { version: 2 })
    const changed = second.chunks.filter((chunk, at) => chunk.entry.hash !== first.chunks[at]!.entry.hash)
    expect(changed).toHaveLength(1)

    await writeChunks(redis, prefix, changed)
    expect(await swapManifest(redis, prefix, { ...second, base: first.manifest, isConfirmed: false })).toMatchObject({
      outcome: 'published',
    })

    expect((await readSnapshot(redis, prefix))?.rules).toEqual(rules)
  })

  test('more chunks than one call carries', async ({ redis, prefix }) => {
    await publish(redis, prefix, await snapshotOf(rulesOf(1, 500), { chunkCount: 128 }))
    expect((await readSnapshot(redis, prefix))?.rules).toEqual(rulesOf(1, 500))
  })
})

describe('versions and tokens only rise', () => {
  test('an older one is refused, told what is there, and changes nothing', async ({ redis, prefix }) => {
    const current = await snapshotOf(rulesOf(10, 2), { version: 10, token: 5 })
    await publish(redis, prefix, current)

    for (const { version, token, isConfirmed } of [
      { version: 9, token: 5, isConfirmed: false },
      { version: 10, token: 5, isConfirmed: true },
      { version: 10, token: 6, isConfirmed: true },
      // Paused while it led, and woken: what it drew meanwhile may be higher, its token is not.
      { version: 11, token: 4, isConfirmed: true },
    ]) {
      const { manifest, chunks } = await snapshotOf(rulesOf(version, 3), { version, token })
      await writeChunks(redis, prefix, chunks)
      const outcome = await swapManifest(redis, prefix, { manifest, base: current.manifest, isConfirmed })
      expect(outcome).toEqual({ outcome: 'older', version: 10, token: 5 })
    }

    expect((await readSnapshot(redis, prefix))?.rules).toEqual(rulesOf(10, 2))
  })

  test('they compare as numbers, also where doubles print as 1e+15', async ({ redis, prefix }) => {
    const large = 1_000_000_000_000_000
    let base: Manifest | undefined
    const rise = async (version: number, token: number) => {
      const { manifest } = await snapshotOf([], { version, token })
      const outcome = await swapManifest(redis, prefix, { manifest, base, isConfirmed: base === undefined })
      if (outcome.outcome === 'published') base = manifest
      return outcome
    }
    expect(await rise(9, 9)).toMatchObject({ outcome: 'published' })
    expect(await rise(large, large)).toMatchObject({ outcome: 'published' })
    expect(await rise(large - 1, large)).toEqual({ outcome: 'older', version: large, token: large })
    expect(await rise(large + 1, large - 1)).toEqual({ outcome: 'older', version: large, token: large })
    expect(await rise(large + 1, large)).toMatchObject({ outcome: 'published' })
  })

  test('two leaders at once: readers see the version only rise, and at the end the highest', async ({
    connect,
    redis,
    prefix,
  }) => {
    const seen: number[] = []
    let drawn = 0
    const lead = async (token: number) => {
      const own = await connect()
      for (let n = 0; n < 60; n++) {
        const base = await readManifest(own, prefix)
        await publish(own, prefix, await snapshotOf(rulesOf(1, 3), { version: ++drawn, token }), base)
      }
    }
    await whileRunning(Promise.all([lead(1), lead(2)]), async () => {
      seen.push((await readVersion(redis, prefix)) ?? 0)
    })
    expect(seen).toEqual(seen.toSorted((a, b) => a - b))
    expect(await readManifest(redis, prefix)).toMatchObject({ token: 2 })
  })
})

describe('what a swap replaces is what it knows', () => {
  test('an empty Redis wants to hear that nobody else leads', async ({ redis, prefix }) => {
    const base = await snapshotOf(rulesOf(1, 9))
    const { manifest, chunks } = await snapshotOf(rulesOf(2, 9), { version: 2 })
    await writeChunks(redis, prefix, chunks)

    for (const known of [undefined, base.manifest]) {
      const outcome = await swapManifest(redis, prefix, { manifest, base: known, isConfirmed: false })
      expect(outcome).toMatchObject({ outcome: 'empty' })
      expect(await readManifest(redis, prefix)).toBeUndefined()
    }
    expect(await swapManifest(redis, prefix, { manifest, base: base.manifest, isConfirmed: true })).toMatchObject({
      outcome: 'published',
    })
  })

  test('when another one is there than the base, it stays', async ({ redis, prefix }) => {
    const base = await snapshotOf(rulesOf(1, 9))
    const other = await snapshotOf(rulesOf(2, 9), { version: 2 })
    await publish(redis, prefix, other)

    const { manifest, chunks } = await snapshotOf(rulesOf(3, 9), { version: 3 })
    await writeChunks(redis, prefix, chunks)
    const moved = { outcome: 'moved', version: 2 }
    expect(await swapManifest(redis, prefix, { manifest, base: base.manifest, isConfirmed: true })).toMatchObject(moved)
    expect(await swapManifest(redis, prefix, { manifest, base: undefined, isConfirmed: true })).toMatchObject(moved)
    expect((await readSnapshot(redis, prefix))?.rules).toEqual(rulesOf(2, 9))
  })

  test('a chunk that is gone before the swap is told, and nothing has changed', async ({ redis, prefix }) => {
    const base = await snapshotOf(rulesOf(1, 40))
    await publish(redis, prefix, base)
    const next = await snapshotOf(rulesOf(2, 40), { version: 2 })
    await writeChunks(redis, prefix, next.chunks)
    await redis.del(chunkKey(prefix, next.manifest.chunks[2]!.hash))

    const swap = { manifest: next.manifest, base: base.manifest, isConfirmed: false }
    expect(await swapManifest(redis, prefix, swap)).toMatchObject({ outcome: 'lost' })
    expect((await readSnapshot(redis, prefix))?.rules).toEqual(rulesOf(1, 40))

    await writeChunks(redis, prefix, next.chunks)
    expect(await swapManifest(redis, prefix, swap)).toMatchObject({ outcome: 'published' })
    expect((await readSnapshot(redis, prefix))?.rules).toEqual(rulesOf(2, 40))
  })

  test('after a flush the chunks that the base had count as gone too', async ({ redis, prefix }) => {
    const base = await snapshotOf(rulesOf(1, 40))
    await publish(redis, prefix, base)
    await deleteKeys(redis, prefix)
    const rules = rulesOf(1, 40).with(5, { ...rulesOf(1, 40)[5]!, version: 2 })
    const next = await snapshotOf(rules, { version: 2 })
    const swap = { manifest: next.manifest, base: base.manifest, isConfirmed: true }

    const changed = next.chunks.filter((chunk, at) => chunk.entry.hash !== base.chunks[at]!.entry.hash)
    await writeChunks(redis, prefix, changed)
    expect(await swapManifest(redis, prefix, swap)).toMatchObject({ outcome: 'lost' })

    await writeChunks(redis, prefix, next.chunks)
    expect(await swapManifest(redis, prefix, swap)).toMatchObject({ outcome: 'published' })
    expect((await readSnapshot(redis, prefix))?.rules).toEqual(rules)
    for (const { entry } of next.chunks) expect(await redis.pttl(chunkKey(prefix, entry.hash))).toBe(-1)
  })

  test('a current that nobody can read counts as none', async ({ redis, prefix }) => {
    const key = `${prefix}snapshot:current`
    const nonsense = [
      () => redis.set(key, '{"version":8}'),
      () => redis.rpush(key, '8'),
      () => redis.hset(key, { version: 'x', token: '1' }),
      () => redis.hset(key, { version: '1e999', token: '1' }),
      () => redis.hset(key, { version: 'nan', token: '1' }),
      () => redis.hset(key, { version: '9007199254740990', token: '1' }),
      () => redis.hset(key, { version: '99999999999999999999', token: '1' }),
      () => redis.hset(key, { version: '1', token: '9007199254740990' }),
      () => redis.hset(key, { version: '1', token: '99999999999999999999' }),
      () => redis.hset(key, { version: '8' }),
      () => redis.hset(key, { token: '8' }),
    ]
    for (const write of nonsense) {
      await redis.del(key)
      await write()
      const { manifest } = await snapshotOf([], { version: 4 })
      const swap = { manifest, base: undefined }
      expect(await swapManifest(redis, prefix, { ...swap, isConfirmed: false })).toMatchObject({ outcome: 'empty' })
      expect(await swapManifest(redis, prefix, { ...swap, isConfirmed: true })).toMatchObject({ outcome: 'published' })
      expect(await readManifest(redis, prefix)).toEqual(manifest)
    }
  })
})

test('a version that no leader can have drawn is none', async ({ redis, prefix }) => {
  const { manifest } = await snapshotOf([])
  for (const version of ['9007199254740990', '99999999999999999999', '1e3', '-1', '']) {
    await redis.hset(`${prefix}snapshot:current`, 'version', version)
    expect(await readVersion(redis, prefix)).toBeUndefined()
  }
  const text = JSON.stringify({ ...manifest, version: 9_007_199_254_740_990 })
  await redis.hset(`${prefix}snapshot:current`, { version: 1, token: 1, manifest: text })
  await expect(readManifest(redis, prefix)).rejects.toMatchObject({ code: 'bad_snapshot' })
})

describe('being told', () => {
  test('a subscriber hears of a swap, and not of one that was refused', async ({ connect, redis, prefix }) => {
    const wake = vi.fn<() => void>()
    subscribeToSnapshots(await connect(), prefix, log, wake)
    await eventually(() => expect(wake).toHaveBeenCalledTimes(1))

    await publish(redis, prefix, await snapshotOf([], { version: 2 }))
    await eventually(() => expect(wake).toHaveBeenCalledTimes(2))
    await publish(redis, prefix, await snapshotOf([], { version: 1 }))
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
    await publish(redis, prefix, await snapshotOf([]))
    await eventually(() => expect(wake).toHaveBeenCalledTimes(3))
  })
})
