import { describe, expect, it } from 'vitest'
import { KeptExpressions } from './kept-expressions.ts'

/** Expressions of so many bytes each, and how often each was made. */
function expressions(kept: KeptExpressions, count: number, bytes: number) {
  const made: number[] = Array(count).fill(0)
  const asks = made.map((_, at) =>
    kept.keep(() => {
      made[at] = (made[at] as number) + 1
      return { bytes, matches: (text: string) => text === `${at}` }
    }),
  )
  return { asks, made }
}

describe('kept expressions', () => {
  it('never take more than they may, however many are asked', () => {
    const kept = new KeptExpressions(1_000)
    const { asks, made } = expressions(kept, 500, 100)
    for (const ask of [...asks, ...asks]) {
      ask('')
      expect(kept.bytes).toBeLessThanOrEqual(1_000)
    }
    expect(made.reduce((sum, times) => sum + times)).toBeGreaterThanOrEqual(2 * 500 - 10)
  })

  it('are made once if there is room', () => {
    const { asks, made } = expressions(new KeptExpressions(1_000), 10, 100)
    for (let round = 0; round < 100; round++) for (const ask of asks) ask('')
    expect(made).toEqual(Array(10).fill(1))
  })

  it('are not all made again for each alert that asks a few more than there is room for', () => {
    const { asks, made } = expressions(new KeptExpressions(10_000), 120, 100)
    for (let round = 0; round < 100; round++) for (const ask of asks) ask('')
    expect(made.reduce((sum, times) => sum + times)).toBeLessThan((120 * 100) / 2)
  })

  it('are counted as they grow', () => {
    const kept = new KeptExpressions(1_000)
    const { asks } = expressions(kept, 9, 100)
    for (const ask of asks) ask('')
    expect(kept.bytes).toBe(900)
    const growing = { bytes: 100, matches: () => true }
    const grow = kept.keep(() => growing)
    grow('')
    expect(kept.bytes).toBe(1_000)
    growing.bytes = 950
    grow('')
    expect(kept.bytes).toBeLessThanOrEqual(1_000)
  })

  it('say the same after they were dropped', () => {
    const { asks } = expressions(new KeptExpressions(100), 50, 100)
    for (let round = 0; round < 3; round++) {
      for (const [at, ask] of asks.entries()) expect([ask(`${at}`), ask('x')]).toEqual([true, false])
    }
  })
})
