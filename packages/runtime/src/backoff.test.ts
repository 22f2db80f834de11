import fc from 'fast-check'
import { expect, it } from 'vitest'
import { backoffMs, endsWithin, failureLevel, pause } from './backoff.ts'

it('stays between half of the step and the cap, at any attempt', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 1e6 }), attempt => {
      const delayMs = backoffMs(attempt, { baseMs: 100, capMs: 5_000 })
      const stepMs = Math.min(5_000, 100 * 2 ** Math.min(attempt - 1, 30))
      expect(delayMs).toBeGreaterThanOrEqual(stepMs / 2)
      expect(delayMs).toBeLessThanOrEqual(stepMs)
    }),
  )
})

it('a pause ends at once when stopping begins, and does not throw', async () => {
  const stopping = new AbortController()
  const paused = pause(60_000, stopping.signal)
  stopping.abort()
  await paused
  await pause(60_000, stopping.signal)
})

it('tells of ever fewer failures, and of the first ones', () => {
  const told = Array.from({ length: 1_000 }, (_, index) => index + 1).filter(n => failureLevel(n) === 'warn')
  expect(told).toEqual([1, 2, 4, 8, 16, 32, 64, 128, 256, 512])
})

it('waits for work no longer than it may take', async () => {
  expect(await endsWithin(Promise.resolve('done'), 60_000)).toBe(true)
  expect(await endsWithin(new Promise(() => {}), 1)).toBe(false)
  await expect(endsWithin(Promise.reject(new Error('failed')), 60_000)).rejects.toThrow('failed')
})
