import { expect, test } from 'vitest'
import { retryDelayMs, retryDelaysMs } from './retry-policy.ts'

test('five attempts: after 1 s, 5 s, 30 s and 2 min, then no more', () => {
  const middle = () => 0.5
  expect([1, 2, 3, 4, 5, 6].map(attempt => retryDelayMs(attempt, middle))).toEqual([
    ...retryDelaysMs,
    undefined,
    undefined,
  ])
})

test('a delay is spread by a fifth to both sides', () => {
  expect(retryDelayMs(1, () => 0)).toBe(800)
  expect(retryDelayMs(1, () => 1)).toBe(1_200)
})
