import { expect, it } from 'vitest'
import { tableOf } from './table.ts'

it('puts numbers under the end of their column, and a dash where there is nothing to say', () => {
  const rows = [
    { engine: 'parse', alerts_per_s: 1_234_567.8, share: null },
    { engine: 'other', alerts_per_s: 45.67, share: 0.01234 },
  ]
  expect(tableOf(rows).split('\n')).toEqual([
    '  engine  alerts_per_s  share',
    '  parse      1,234,568      -',
    '  other           45.7  0.012',
  ])
})
