import { describe, expect, it, vi } from 'vitest'
import { hashText, hashValue } from './hash.ts'

const many = 20_000
const listOf = (valueAt: (at: number) => unknown) => Array.from({ length: many }, (_, at) => valueAt(at))
const distinct = (hashes: readonly number[]) => new Set(hashes).size

/** FNV-1a on 16 bits at a time, from which no secret keeps anybody. */
const known = (text: string, start = 0x811c9dc5 | 0) => {
  let hash = start
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193)
  return hash
}

/** Block after block there are two that lead to the same, so that there are 2^n texts of one known hash. */
function textsOfOneKnownHash(blocks: number): string[] {
  let texts = ['']
  for (let block = 0; block < blocks; block++) {
    const start = known(texts[0] as string)
    const byHash = new Map<number, string>()
    for (let at = 0; ; at++) {
      const units = Math.imul(at, 0x9e3779b1)
      const text = String.fromCharCode(units & 0xffff, units >>> 16)
      const other = byHash.get(known(text, start))
      byHash.set(known(text, start), text)
      if (other === undefined) continue
      texts = texts.flatMap(before => [before + text, before + other])
      break
    }
  }
  return texts
}

describe('the hash of values', () => {
  it.each([
    ['numbers that differ by little', (at: number) => 0.5 + at * 1e-12],
    ['small numbers', (at: number) => (at + 1) * 1e-14],
    ['large numbers', (at: number) => (at + 1) * 1e30],
    ['whole numbers', (at: number) => at],
    ['halves', (at: number) => at + 0.5],
    ['texts', (at: number) => `service-${at}`],
    ['lists', (at: number) => [at, 'a']],
  ])('tells %s apart', (_, valueAt) => {
    // Two or none of 20,000 share one of 2^32 by chance.
    expect(distinct(listOf(valueAt).map(hashValue))).toBeGreaterThan(many - 20)
  })

  it('is the same for 0 and -0', () => {
    expect(hashValue(-0)).toBe(hashValue(0))
  })

  it('is another in each process, and spares no text that others have chosen', async () => {
    const texts = textsOfOneKnownHash(10)
    expect(distinct(texts.map(text => known(text)))).toBe(1)
    expect(distinct(texts.map(hashText))).toBeGreaterThan(1_020)
    vi.resetModules()
    const another = await import('./hash.ts')
    expect(texts.filter(text => another.hashText(text) === hashText(text)).length).toBeLessThan(4)
  })
})
