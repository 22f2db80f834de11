import type { SnapshotRule } from '@tocsin/contracts/snapshot'
import { describe, expect } from 'vitest'
import type { Redis } from '../src/connection.ts'
import { readManifest, readVersion } from '../src/snapshot-store.ts'
import { deleteKeys, test } from './private-redis.ts'
import { chunkKey, publish, readSnapshot, rulesOf, snapshotOf, whileRunning } from './snapshots.ts'

describe('readers see whole snapshots only', () => {
  test('while leaders race and keys are deleted, every snapshot read is exactly one that was written', async ({
    connect,
    redis,
    prefix,
  }) => {
    let version = 0
    const written = new Map<number, SnapshotRule[]>()
    const lead = async (token: number) => {
      const own = await connect()
      for (let n = 0; n < 80; n++) {
        const base = await readManifest(own, prefix)
        const rules = rulesOf(Math.floor(Math.random() * 3), Math.floor(Math.random() * 200))
        const next = await snapshotOf(rules, { version: ++version, token, chunkCount: 2 ** (n % 4) })
        written.set(next.manifest.version, rules)
        await publish(own, prefix, next, base)
        if (Math.random() < 0.05) await deleteKeys(own, prefix)
        if (Math.random() < 0.05) await own.del(chunkKey(prefix, next.manifest.chunks[0]!.hash))
      }
    }
    let reads = 0
    await whileRunning(Promise.all([lead(1), lead(1), lead(2)]), async () => {
      const snapshot = await readSnapshot(redis, prefix).catch(error => {
        // Deleted between manifest and chunk. It is told as such, and never as an empty or a shorter snapshot.
        expect(error).toMatchObject({ code: 'chunk_gone', retryable: true })
      })
      if (snapshot === undefined) return
      reads++
      expect(snapshot.rules).toEqual(written.get(snapshot.manifest.version))
    })
    expect(reads).toBeGreaterThan(20)
  })

  const damages: [string, (redis: Redis, key: string) => Promise<unknown>][] = [
    ['a byte of it changed', async (redis, key) => redis.setrange(key, 20, '\0\0\0')],
    ['it was cut', async (redis, key) => redis.set(key, (await redis.getBuffer(key))!.subarray(0, -4))],
    ['it is another chunk', async (redis, key) => redis.copy(await otherChunk(redis, key), key, 'REPLACE')],
    ['it is empty', (redis, key) => redis.set(key, '')],
  ]
  for (const [what, damage] of damages) {
    test(`a chunk is not what was written: ${what}`, async ({ redis, prefix }) => {
      const { manifest, chunks } = await snapshotOf(rulesOf(3, 50))
      await publish(redis, prefix, { manifest, chunks })
      await damage(redis, chunkKey(prefix, manifest.chunks[1]!.hash))
      await expect(readSnapshot(redis, prefix)).rejects.toMatchObject({ code: 'bad_snapshot', retryable: true })
    })
  }

  test('a chunk that is gone, or is no text, is told apart: a newer manifest may not name it', async ({
    redis,
    prefix,
  }) => {
    const { manifest, chunks } = await snapshotOf(rulesOf(3, 50))
    await publish(redis, prefix, { manifest, chunks })
    const key = chunkKey(prefix, manifest.chunks[1]!.hash)
    await redis.del(key)
    await expect(readSnapshot(redis, prefix)).rejects.toMatchObject({ code: 'chunk_gone', retryable: true })
    await redis.rpush(key, 'x')
    await expect(readSnapshot(redis, prefix)).rejects.toMatchObject({ code: 'chunk_gone', retryable: true })
  })

  test('a manifest that is no manifest, or names other chunks than it says, is an error', async ({ redis, prefix }) => {
    const { manifest } = await snapshotOf(rulesOf(3, 50))
    const [first, ...others] = manifest.chunks
    const strange = ['{"version":', '[]', 'null', '""', { ...manifest, chunks: [] }, { ...manifest, chunks: others }]
    for (const text of [...strange, { ...manifest, chunks: [...others, first] }, { ...manifest, version: '3' }]) {
      const field = typeof text === 'string' ? text : JSON.stringify(text)
      await redis.hset(`${prefix}snapshot:current`, { version: 3, token: 1, manifest: field })
      await expect(readManifest(redis, prefix)).rejects.toMatchObject({ code: 'bad_snapshot', retryable: true })
    }
    await redis.set(`${prefix}snapshot:current`, JSON.stringify(manifest))
    await expect(readManifest(redis, prefix)).rejects.toMatchObject({ code: 'bad_snapshot' })
    await expect(readVersion(redis, prefix)).rejects.toMatchObject({ code: 'bad_snapshot' })
  })
})

/** Any other one of the same snapshot. */
async function otherChunk(redis: Redis, key: string): Promise<string> {
  const keys = await redis.keys(`${key.slice(0, key.lastIndexOf(':'))}:*`)
  return keys.find(other => other !== key)!
}
