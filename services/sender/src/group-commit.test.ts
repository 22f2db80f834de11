import { expect, test } from 'vitest'
import { groupCommit } from './group-commit.ts'

test('what is asked for while one statement runs shares the next one', async () => {
  const groups: number[][] = []
  const began = Promise.withResolvers<void>()
  const gate = Promise.withResolvers<void>()
  const double = groupCommit(async (items: number[]) => {
    groups.push(items)
    began.resolve()
    await gate.promise
    return items.map(item => item * 2)
  })
  const first = [double(1), double(2)]
  await began.promise
  const later = [double(3), double(4), double(5)]
  gate.resolve()
  expect(await Promise.all([...first, ...later])).toEqual([2, 4, 6, 8, 10])
  expect(groups).toEqual([
    [1, 2],
    [3, 4, 5],
  ])
})

test('no statement is longer than allowed, and no item is left over', async () => {
  const sizes: number[] = []
  const same = groupCommit(
    async (items: number[]) => {
      sizes.push(items.length)
      return items
    },
    { itemsMax: 10 },
  )
  const items = Array.from({ length: 95 }, (_, index) => index)
  expect(await Promise.all(items.map(same))).toEqual(items)
  expect(Math.max(...sizes)).toBe(10)
})

test('a failed statement fails its callers only, and the next one runs', async () => {
  const pick = groupCommit(async (items: string[]) => {
    if (items.includes('bad')) throw new Error('refused')
    return items
  })
  await expect(pick('bad')).rejects.toThrow('refused')
  await expect(pick('good')).resolves.toBe('good')
})
