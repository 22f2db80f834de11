import { expect, it } from 'vitest'
import { RestartDelay } from './restart-delay.ts'

it('waits 1 s, then twice as long each time, never more than 30 s', () => {
  const delay = new RestartDelay()
  expect([10, 10, 10, 10, 10, 10, 10].map(lived => delay.next(lived))).toEqual([
    1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000,
  ])
})

it('begins again after a minute of life', () => {
  const delay = new RestartDelay()
  delay.next(10)
  delay.next(10)
  expect(delay.next(60_000)).toBe(1_000)
  expect(delay.next(59_999)).toBe(2_000)
})
