import type { Manifest, SnapshotNews } from '@tocsin/contracts/snapshot'
import type { Redis } from '@tocsin/redis/connection'
import { chunkCountFor, chunkOf, hashOfChunks, packChunk } from '@tocsin/redis/snapshot-chunk'
import { readManifest, swapManifest, writeChunks } from '@tocsin/redis/snapshot-store'
import { expect } from 'vitest'
import { type Line, textsOf } from './rules-in-chunks.ts'

export interface PublishOptions {
  version: number
  chunkCount?: number
  oldestChangeAt?: string | null
  /** Of the manifest that it is about. */
  news?: (manifest: Manifest, base: Manifest) => SnapshotNews
}

/** As the rule-updater does, over whatever Redis holds. */
export async function publishSnapshot(
  redis: Redis,
  prefix: string,
  lines: readonly Line[],
  { version, chunkCount = chunkCountFor(lines.length), oldestChangeAt = null, news }: PublishOptions,
): Promise<Manifest> {
  const texts = textsOf(lines, chunkCount)
  const chunks = await Promise.all(texts.map(text => packChunk(text, text.split('\n').length - 1)))
  const entries = chunks.map(chunk => chunk.entry)
  const manifest = {
    version,
    token: 1,
    hash: hashOfChunks(entries),
    rules: lines.length,
    built_at: new Date().toISOString(),
    oldest_change_at: oldestChangeAt,
    chunks: entries,
  }
  const base = await readManifest(redis, prefix).catch(() => undefined)
  await writeChunks(redis, prefix, chunks)
  const swap = { manifest, base, isConfirmed: true, news: base && news?.(manifest, base) }
  expect(await swapManifest(redis, prefix, swap)).toMatchObject({ outcome: 'published' })
  return manifest
}

/** That these rules were put, or are gone, and nothing else. */
export const newsOf =
  (rules: readonly { rule_id: string; json?: string | undefined }[]) =>
  (manifest: Manifest, base: Manifest): SnapshotNews => {
    const { version, hash, oldest_change_at, chunks } = manifest
    const groups = Map.groupBy(rules, ({ rule_id }) => chunkOf(rule_id, chunks.length))
    const told = Array.from(groups, ([at, some]) => ({ at, hash: chunks[at]!.hash, rules: some }))
    return { version, hash, oldest_change_at, base: { version: base.version, hash: base.hash }, chunks: told }
  }

export const chunkKey = (prefix: string, hash: string): string => `${prefix}snapshot:chunk:${hash}`

/** What a flush does to one installation of those that share a Redis. */
export async function flush(redis: Redis, prefix: string): Promise<void> {
  for await (const keys of redis.scanStream({ match: `${prefix}*`, count: 1_000 })) {
    if (keys.length > 0) await redis.del(...keys)
  }
}
