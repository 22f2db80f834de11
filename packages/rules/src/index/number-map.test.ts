import { describe, expect, it } from 'vitest'
import { NumberMap } from './number-map.ts'

const many = 60_000

/** Milliseconds for adding so many keys and taking them out again. */
function took(keyAt: (at: number) => number): number {
  const map = new NumberMap()
  const startedAt = performance.now()
  for (let at = 1; at <= many; at++) map.set(keyAt(at), at)
  const ms = performance.now() - startedAt
  for (let at = 1; at <= many; at += 999) expect(map.get(keyAt(at))).toBe(at)
  const removedAt = performance.now()
  for (let at = 1; at <= many; at++) map.delete(keyAt(at))
  expect(map.size).toBe(0)
  return ms + performance.now() - removedAt
}

const mixed = (at: number) => Math.imul(at, 0x9e3779b1) ^ (at << 7)

describe('a map of numbers', () => {
  it.each([
    ['in a row, as the numbers of values are', (at: number) => at],
    // Windows of 16 characters can be chosen so, whatever they are multiplied by.
    ['that differ in their first 16 bits only', (at: number) => at << 16],
  ])('is not slower for those %s', (_, keyAt) => {
    took(mixed)
    // 30 ms; seconds where all lie side by side.
    expect(took(keyAt)).toBeLessThan(took(mixed) * 10 + 100)
  })
})
