import { expect, it } from 'vitest'
import { newId } from './ids.ts'

it('gives ids that say what they are and sort by their time, and never one twice', () => {
  const ids = Array.from({ length: 10_000 }, (_, n) => newId('notification', 1_700_000_000_000 + n))
  expect(new Set(ids.map(id => id.slice(-20))).size).toBe(ids.length)
  expect(ids.toSorted()).toEqual(ids)
  for (const id of ids) expect(id).toMatch(/^ntf_[0-9a-f]{32}$/)
})
