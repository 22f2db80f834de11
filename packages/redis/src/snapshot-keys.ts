import type { Manifest } from '@tocsin/contracts/snapshot'

/** Of the chunks that have a key. */
export function chunkHashes(manifest: Manifest | undefined): ReadonlySet<string> {
  return new Set(manifest?.chunks.map(chunk => chunk.hash).filter(hash => hash !== ''))
}

export const currentKey = (prefix: string) => `${prefix}snapshot:current`
export const chunkKey = (prefix: string, hash: string) => `${prefix}snapshot:chunk:${hash}`
export const channel = (prefix: string) => `${prefix}snapshot`
