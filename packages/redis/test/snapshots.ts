import type { Manifest, SnapshotRule } from '@tocsin/contracts/snapshot'
import type { Redis } from '../src/connection.ts'
import { chunkOf, hashOfChunks, lineOf, linesOf, type PackedChunk, packChunk, textOf } from '../src/snapshot-chunk.ts'
import { readChunks, readManifest, type SwapOutcome, swapManifest, writeChunks } from '../src/snapshot-store.ts'

export interface Snapshot {
  manifest: Manifest
  chunks: PackedChunk[]
}

/** As a leader builds it. */
export async function snapshotOf(
  rules: readonly SnapshotRule[],
  { version = 1, token = 1, chunkCount = 4 }: { version?: number; token?: number; chunkCount?: number } = {},
): Promise<Snapshot> {
  const lines = Array.from({ length: chunkCount }, (): string[] => [])
  for (const rule of rules) lines[chunkOf(rule.rule_id, chunkCount)]!.push(lineOf(rule.rule_id, JSON.stringify(rule)))
  const chunks = await Promise.all(lines.map(own => packChunk(textOf(own.sort()), own.length)))
  const entries = chunks.map(chunk => chunk.entry)
  const built_at = new Date().toISOString()
  const hash = hashOfChunks(entries)
  const manifest = { version, token, hash, rules: rules.length, built_at, oldest_change_at: null, chunks: entries }
  return { manifest, chunks }
}

/** Written and swapped in, whatever is there. */
export async function publish(
  redis: Redis,
  prefix: string,
  { manifest, chunks }: Snapshot,
  base?: Manifest,
): Promise<SwapOutcome['outcome']> {
  await writeChunks(redis, prefix, chunks)
  const { outcome } = await swapManifest(redis, prefix, { manifest, base, isConfirmed: base === undefined })
  return outcome
}

/** As a reader that holds no chunk yet. Undefined when there is none. */
export async function readSnapshot(
  redis: Redis,
  prefix: string,
): Promise<{ manifest: Manifest; rules: SnapshotRule[] } | undefined> {
  const manifest = await readManifest(redis, prefix)
  if (manifest === undefined) return undefined
  const hashes = manifest.chunks.map(chunk => chunk.hash).filter(hash => hash !== '')
  const texts = await readChunks(redis, prefix, hashes)
  const lines = hashes.flatMap(hash => [...linesOf(texts.get(hash)!)])
  return { manifest, rules: lines.map(line => JSON.parse(line.json)).sort(byId) }
}

/** Rules that tell by themselves which version and how many of them they belong to. */
export function rulesOf(version: number, count: number): SnapshotRule[] {
  return Array.from({ length: count }, (_, index) => ({
    rule_id: `rul_${index}`,
    team_id: 'payments',
    name: `rule ${index} of ${count} — Ünïcode`,
    version,
    endpoint_ids: [],
    conditions: { all: [{ fact: 'severity', operator: 'equal', value: 'HIGH' }] },
    notify_resolved: true,
  })).sort(byId)
}

const byId = (a: SnapshotRule, b: SnapshotRule) => (a.rule_id < b.rule_id ? -1 : 1)

export const chunkKey = (prefix: string, hash: string): string => `${prefix}snapshot:chunk:${hash}`

/** Looks again and again until the work has ended. */
export async function whileRunning(work: Promise<unknown>, look: () => Promise<void>): Promise<void> {
  let running = true
  const ended = work.finally(() => {
    running = false
  })
  while (running) await look()
  await ended
}
