import { expect, it } from 'vitest'
import { latencyFigures, percentile } from './percentile.ts'

const hundred = Array.from({ length: 100 }, (_, index) => 100 - index)

it.each([
  [50, 50],
  [95, 95],
  [99, 99],
  [100, 100],
  [0, 1],
])('percentile %i of 1 to 100 is %i', (percent, value) => {
  expect(percentile(hundred, percent)).toBe(value)
})

it('is a measured value even of very few', () => {
  expect(percentile([3, 8], 95)).toBe(8)
  expect(percentile([], 50)).toBeNaN()
})

it('names its figures with their unit', () => {
  expect(latencyFigures(hundred, 'paced_')).toEqual({ paced_p50_ms: 50, paced_p95_ms: 95, paced_p99_ms: 99 })
})
