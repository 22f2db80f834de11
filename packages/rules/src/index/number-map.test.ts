import { expect, it } from 'vitest'
import { NumberMap } from './number-map.ts'

const many = 100_000

// Where all lie side by side, each that is taken out looks at all that follow: that takes half a minute, not 0.1 s.
it.each([
  ['in a row, as the numbers of values are', (at: number) => at],
  // Windows of 16 characters can be chosen so, whatever they are multiplied by.
  ['that differ in their first 16 bits only', (at: number) => at << 16],
])('takes numbers %s, and gives them back one by one', (_, keyAt) => {
  const keys = [...new Set(Array.from({ length: many }, (_, at) => keyAt(at + 1)))]
  const map = new NumberMap()
  for (const [at, key] of keys.entries()) map.set(key, at + 1)
  for (const [at, key] of keys.entries()) if (map.get(key) !== at + 1) expect(map.get(key)).toBe(at + 1)
  expect(map.size).toBe(keys.length)
  for (const key of keys) map.delete(key)
  expect([map.size, map.get(keyAt(1)), map.keys()]).toEqual([0, 0, []])
})
