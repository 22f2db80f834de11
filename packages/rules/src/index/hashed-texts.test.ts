import { expect, it } from 'vitest'
import { HashedTexts } from './hashed-texts.ts'

it('keeps texts of two sizes apart that have one hash, and no size longer than its last text', () => {
  const texts = new HashedTexts()
  texts.set(7, 6, 1)
  texts.set(7, 70, 2)
  expect([texts.get(7, 6), texts.get(7, 70), texts.get(7, 8)]).toEqual([1, 2, 0])
  expect([texts.sizes, texts.mayHaveSize(6)]).toEqual([[6, 70], true])
  texts.delete(7, 70)
  texts.delete(7, 70)
  expect([texts.sizes, texts.get(7, 6), texts.isEmpty]).toEqual([[6], 1, false])
  for (let size = 1; size <= 4_000; size++) texts.set(Math.imul(size, 0x9e3779b1), size, size)
  for (let size = 1; size <= 4_000; size++) texts.delete(Math.imul(size, 0x9e3779b1), size)
  expect([texts.sizes, texts.marks.length]).toEqual([[6], 1])
  texts.delete(7, 6)
  expect([texts.sizes, texts.isEmpty, texts.mayHaveSize(6)]).toEqual([[], true, false])
})
