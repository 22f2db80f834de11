import type { Manifest } from '@tocsin/contracts/snapshot'
import { missingChunks, readChunks, restoreChunks } from '@tocsin/redis/snapshot-store'
import { AppError } from '@tocsin/runtime/errors'
import type { ChunkBook } from './chunk-book.ts'
import * as meters from './meters.ts'
import type { Places } from './places.ts'

/** Read and unpacked together, in a few ms. */
const chunksAtOnce = 16

/** Puts back what Redis has lost. Cheap when nothing is missing: one question for all chunks. */
export async function restoreMissing(places: Places, book: ChunkBook, manifest: Manifest): Promise<void> {
  const missing = await missingChunks(places.redis, places.prefix, manifest)
  await restore(places, book, manifest, missing)
}

/** What Redis should have, at the moment of asking. */
export interface Wanted {
  readonly current: { book: ChunkBook; manifest: Manifest } | undefined
}

/** Reads every chunk and puts right those that are not what was written. */
export async function repairDamaged(places: Places, wanted: Wanted, stopping: AbortSignal): Promise<void> {
  const chunkCount = wanted.current?.manifest.chunks.length ?? 0
  for (let from = 0; from < chunkCount; from += chunksAtOnce) {
    stopping.throwIfAborted()
    // Asked anew for each group: a chunk that was replaced meanwhile is soon gone, and need not be there.
    const { manifest } = wanted.current!
    if (manifest.chunks.length !== chunkCount) return
    const some = manifest.chunks.slice(from, from + chunksAtOnce)
    const hashes = some.map(chunk => chunk.hash).filter(hash => hash !== '')
    if (await areGood(places, hashes)) continue
    const damaged: string[] = []
    for (const hash of hashes) if (!(await areGood(places, [hash]))) damaged.push(hash)
    await restore(places, wanted.current!.book, manifest, damaged)
  }
}

async function areGood({ redis, prefix }: Places, hashes: readonly string[]): Promise<boolean> {
  try {
    await readChunks(redis, prefix, hashes)
    return true
  } catch (error) {
    if (error instanceof AppError && (error.code === 'bad_snapshot' || error.code === 'chunk_gone')) return false
    throw error
  }
}

async function restore(
  { redis, prefix, log }: Places,
  book: ChunkBook,
  manifest: Manifest,
  hashes: readonly string[],
): Promise<void> {
  if (hashes.length === 0) return
  const wanted = new Set(hashes)
  // One that has changed since is not among them. The snapshot that has it is on its way.
  const good = book.chunks.filter(chunk => wanted.has(chunk.entry.hash))
  await restoreChunks(redis, prefix, good)
  meters.chunksRepairedTotal.inc(good.length)
  log.warn({ chunks: good.length, version: manifest.version }, 'put back chunks that Redis had lost or damaged')
}
