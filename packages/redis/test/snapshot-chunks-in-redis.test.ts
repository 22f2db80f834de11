import { zstdCompressSync } from 'node:zlib'
import type { Manifest } from '@tocsin/contracts/snapshot'
import { describe, expect } from 'vitest'
import type { Redis } from '../src/connection.ts'
import {
  chunkGraceMs,
  missingChunks,
  readChunks,
  restoreChunks,
  swapManifest,
  writeChunks,
} from '../src/snapshot-store.ts'
import { expireStrayChunks } from '../src/snapshot-strays.ts'
import { deleteKeys, test } from './private-redis.ts'
import { chunkKey, publish, readSnapshot, rulesOf, snapshotOf } from './snapshots.ts'

describe('a chunk lives as long as somebody may need it', () => {
  test('replaced ones stay for readers that just read their manifest, then go', async ({ redis, prefix }) => {
    const first = await snapshotOf(rulesOf(1, 40))
    const second = await snapshotOf(rulesOf(2, 40), { version: 2 })
    await publish(redis, prefix, first)
    expect(await endsOf(redis, prefix, first.manifest)).toEqual([-1, -1, -1, -1])

    await publish(redis, prefix, second, first.manifest)

    for (const left of await endsOf(redis, prefix, first.manifest)) expectGrace(left)
    expect(await endsOf(redis, prefix, second.manifest)).toEqual([-1, -1, -1, -1])
    expect((await readChunks(redis, prefix, hashesOf(first.manifest))).size).toBe(4)
  })

  test('those of a swap that never came, or was refused, go by themselves', async ({ redis, prefix }) => {
    const current = await snapshotOf(rulesOf(2, 40), { version: 2 })
    const older = await snapshotOf(rulesOf(1, 40))
    await publish(redis, prefix, current)
    await writeChunks(redis, prefix, older.chunks)
    for (const left of await endsOf(redis, prefix, older.manifest)) expectGrace(left)
    await swapManifest(redis, prefix, { manifest: older.manifest, base: undefined, isConfirmed: true })
    for (const left of await endsOf(redis, prefix, older.manifest)) expectGrace(left)
  })

  test('whoever writes a chunk of the current snapshot again gives it no end', async ({ redis, prefix }) => {
    const current = await snapshotOf(rulesOf(1, 40), { token: 2 })
    await publish(redis, prefix, current)
    await writeChunks(redis, prefix, current.chunks)
    expect(await endsOf(redis, prefix, current.manifest)).toEqual([-1, -1, -1, -1])
  })

  test('a change that is taken back before the chunk of before has gone keeps that chunk', async ({
    redis,
    prefix,
  }) => {
    const first = await snapshotOf(rulesOf(1, 40))
    const second = await snapshotOf(rulesOf(2, 40), { version: 2 })
    const third = await snapshotOf(rulesOf(1, 40), { version: 3 })
    await publish(redis, prefix, first)
    await publish(redis, prefix, second, first.manifest)
    expect(await publish(redis, prefix, third, second.manifest)).toBe('published')
    expect(await endsOf(redis, prefix, third.manifest)).toEqual([-1, -1, -1, -1])
    expect((await readSnapshot(redis, prefix))?.rules).toEqual(rulesOf(1, 40))
  })

  test('one that was about to end and is gone when the swap comes is told as lost', async ({ redis, prefix }) => {
    const first = await snapshotOf(rulesOf(1, 40))
    const second = await snapshotOf(rulesOf(2, 40), { version: 2 })
    const third = await snapshotOf(rulesOf(1, 40), { version: 3 })
    await publish(redis, prefix, first)
    await publish(redis, prefix, second, first.manifest)
    await writeChunks(redis, prefix, third.chunks)
    // NX has left them their old end, which comes now.
    for (const hash of hashesOf(first.manifest)) await redis.pexpire(chunkKey(prefix, hash), 0)
    const swap = { manifest: third.manifest, base: second.manifest, isConfirmed: false }
    expect(await swapManifest(redis, prefix, swap)).toMatchObject({ outcome: 'lost' })
    expect((await readSnapshot(redis, prefix))?.rules).toEqual(rulesOf(2, 40))
  })
})

describe('chunks that are gone or damaged', () => {
  test('are found, and put back for good', async ({ redis, prefix }) => {
    const { manifest, chunks } = await snapshotOf(rulesOf(1, 40))
    await publish(redis, prefix, { manifest, chunks })
    expect(await missingChunks(redis, prefix, manifest)).toEqual([])
    const evicted = hashesOf(manifest).slice(1, 3)
    for (const hash of evicted) await redis.del(chunkKey(prefix, hash))

    expect(await missingChunks(redis, prefix, manifest)).toEqual(evicted)
    await restoreChunks(
      redis,
      prefix,
      chunks.filter(chunk => evicted.includes(chunk.entry.hash)),
    )

    expect(await missingChunks(redis, prefix, manifest)).toEqual([])
    expect(await endsOf(redis, prefix, manifest)).toEqual([-1, -1, -1, -1])
    expect((await readSnapshot(redis, prefix))?.rules).toEqual(rulesOf(1, 40))
  })

  test('whatever stands in their place', async ({ redis, prefix }) => {
    const { manifest, chunks } = await snapshotOf(rulesOf(1, 40))
    await publish(redis, prefix, { manifest, chunks })
    const [first, second, third] = hashesOf(manifest).map(hash => chunkKey(prefix, hash))
    await redis.set(first!, 'damaged', 'PX', 60_000)
    await redis.del(second!, third!)
    await redis.rpush(second!, 'a list')
    await redis.set(third!, zstdCompressSync('rul_0 abcdefghijk {}\n'))

    await restoreChunks(redis, prefix, chunks)

    expect((await readSnapshot(redis, prefix))?.rules).toEqual(rulesOf(1, 40))
    expect(await endsOf(redis, prefix, manifest)).toEqual([-1, -1, -1, -1])
  })

  test('of a snapshot without rules there are none', async ({ redis, prefix }) => {
    const { manifest, chunks } = await snapshotOf([])
    await publish(redis, prefix, { manifest, chunks })
    await restoreChunks(redis, prefix, chunks)
    expect(await missingChunks(redis, prefix, manifest)).toEqual([])
    expect(await redis.keys(`${prefix}*`)).toEqual([`${prefix}snapshot:current`])
  })
})

describe('chunks that no manifest names', () => {
  test('get an end, the named ones none, and those that have one keep it', async ({ redis, prefix }) => {
    const lost = await snapshotOf(rulesOf(1, 40))
    await restoreChunks(redis, prefix, lost.chunks)
    const written = await snapshotOf(rulesOf(2, 40))
    await writeChunks(redis, prefix, written.chunks)
    const ending = chunkKey(prefix, hashesOf(written.manifest)[0]!)
    await redis.pexpire(ending, 1_000)
    const current = await snapshotOf(rulesOf(3, 40), { version: 3 })
    await publish(redis, prefix, current)

    expect(await expireStrayChunks(redis, prefix, current.manifest)).toBe(4)

    for (const left of await endsOf(redis, prefix, lost.manifest)) expectGrace(left)
    expect(await redis.pttl(ending)).toBeLessThanOrEqual(1_000)
    expect(await endsOf(redis, prefix, current.manifest)).toEqual([-1, -1, -1, -1])
    expect(await expireStrayChunks(redis, prefix, current.manifest)).toBe(0)
  })

  test('whoever looked at an older manifest gives the chunks of a newer one no end', async ({ redis, prefix }) => {
    const older = await snapshotOf(rulesOf(1, 40))
    const newer = await snapshotOf(rulesOf(2, 40), { version: 2, token: 2 })
    await publish(redis, prefix, older)
    await publish(redis, prefix, newer, older.manifest)
    expect(await expireStrayChunks(redis, prefix, older.manifest)).toBe(0)
    expect(await endsOf(redis, prefix, newer.manifest)).toEqual([-1, -1, -1, -1])

    await deleteKeys(redis, `${prefix}snapshot:current`)
    expect(await expireStrayChunks(redis, prefix, newer.manifest)).toBe(0)
    expect(await endsOf(redis, prefix, newer.manifest)).toEqual([-1, -1, -1, -1])
  })

  test('while one version follows the other they go as well', async ({ redis, prefix }) => {
    const strays = await snapshotOf(rulesOf(100, 40))
    await restoreChunks(redis, prefix, strays.chunks)
    const first = await snapshotOf(rulesOf(1, 40))
    await publish(redis, prefix, first)
    let latest = first
    const publishNext = async () => {
      const version = latest.manifest.version + 1
      const next = await snapshotOf(rulesOf(version, 40), { version })
      await publish(redis, prefix, next, latest.manifest)
      latest = next
    }
    // A new version comes whenever chunks have just been looked for.
    const busy = new Proxy(redis, {
      get(target, name: 'scan' | 'eval') {
        if (name !== 'scan') return target[name].bind(target)
        return (...args: Parameters<Redis['scan']>) => target.scan(...args).finally(publishNext)
      },
    })
    expect(await expireStrayChunks(busy, prefix, first.manifest)).toBe(4)
    for (const left of await endsOf(redis, prefix, strays.manifest)) expectGrace(left)
    expect(await endsOf(redis, prefix, latest.manifest)).toEqual([-1, -1, -1, -1])
  })

  test('those of another installation are not ours, also when our prefix reads as a pattern', async ({
    redis,
    prefix,
  }) => {
    const pattern = `${prefix}[ab]*?:`
    const other = `${prefix}a and:`
    const { chunks, manifest } = await snapshotOf(rulesOf(1, 40))
    await restoreChunks(redis, other, chunks)
    await publish(redis, pattern, await snapshotOf(rulesOf(2, 40)))
    const ours = await snapshotOf(rulesOf(3, 40))
    await restoreChunks(redis, pattern, ours.chunks)

    expect(await expireStrayChunks(redis, pattern, await currentOf(redis, pattern))).toBe(4)

    expect(await endsOf(redis, other, manifest)).toEqual([-1, -1, -1, -1])
    for (const left of await endsOf(redis, pattern, ours.manifest)) expectGrace(left)
  })
})

const hashesOf = (manifest: Manifest) => manifest.chunks.map(chunk => chunk.hash)

/** In milliseconds from now; -1 is never. */
const endsOf = (redis: Redis, prefix: string, manifest: Manifest) =>
  Promise.all(hashesOf(manifest).map(hash => redis.pttl(chunkKey(prefix, hash))))

function expectGrace(leftMs: number): void {
  expect(leftMs).toBeGreaterThan(chunkGraceMs / 2)
  expect(leftMs).toBeLessThanOrEqual(chunkGraceMs)
}

async function currentOf(redis: Redis, prefix: string): Promise<Manifest> {
  return (await readSnapshot(redis, prefix))!.manifest
}
