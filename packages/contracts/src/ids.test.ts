import { expect, it } from 'vitest'
import { firstIdAt, newId, newIds } from './ids.ts'

it('gives ids that say what they are and sort by their time, and never one twice', () => {
  const ids = Array.from({ length: 10_000 }, (_, n) => newId('notification', 1_700_000_000_000 + n))
  expect(new Set(ids.map(id => id.slice(-20))).size).toBe(ids.length)
  expect(ids.toSorted()).toEqual(ids)
  for (const id of ids) expect(id).toMatch(/^ntf_[0-9a-f]{32}$/)
})

it('ids that are made together sort in the order in which they are given', () => {
  const ids = newIds('notification', 70_000, 1_700_000_000_000)
  expect(new Set(ids).size).toBe(ids.length)
  expect(ids.toSorted()).toEqual(ids)
  for (const id of ids) expect(id).toMatch(/^ntf_[0-9a-f]{32}$/)
  expect(newIds('notification', 2).map(id => id.slice(20))).not.toEqual(
    newIds('notification', 2).map(id => id.slice(20)),
  )
})

it('the first id at a time parts those made before from those made since', () => {
  const now = 1_800_000_000_000
  expect(newId('alert', now - 1) < firstIdAt('alert', now)).toBe(true)
  expect(newId('alert', now) > firstIdAt('alert', now)).toBe(true)
})
