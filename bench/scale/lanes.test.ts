import { expect, it, vi } from 'vitest'
import { Lanes } from './lanes.ts'

it('tells the longest pause of any lane, that which began before included', () => {
  vi.useFakeTimers({ now: 1_000 })
  const lanes = new Lanes()
  const arrive = (lane: number, at: number) => {
    vi.setSystemTime(at)
    lanes.arrived(lane, at - 10)
  }
  arrive(0, 1_000)
  arrive(1, 1_500)
  arrive(0, 3_500)
  arrive(1, 4_500)
  arrive(0, 3_600)
  expect(lanes.longestPauseMs(2_000)).toBe(3_000)
  expect(lanes.longestPauseMs(4_500)).toBe(0)
  vi.useRealTimers()
})
