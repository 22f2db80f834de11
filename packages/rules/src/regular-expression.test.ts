import fc from 'fast-check'
import { RE2JS } from 're2js'
import { describe, expect, it } from 'vitest'
import { measurePattern, RegularExpression } from './regular-expression.ts'

/** Each text of a and b leads to other states: what was where the last 150 characters stand. */
const hostile = '(?s).*a[ab]{150}'
const letters = fc.string({ unit: fc.constantFrom('a', 'b'), minLength: 140, maxLength: 400 })
const longText = fc.sample(letters, { seed: 1, numRuns: 100 }).join('')

describe('a regular expression', () => {
  it('keeps little where a text leads to few states', () => {
    const expression = new RegularExpression('(?i).*(timeout|timed out|deadline exceeded).*')
    const before = expression.bytes
    expect(expression.matches(`${'no time out '.repeat(1_000)}TIMED OUT`)).toBe(true)
    expect(expression.bytes).toBeGreaterThan(before)
    expect(expression.bytes).toBeLessThan(before + 16 * 1024)
  })

  it('keeps at most 256 KiB of states, and makes no more of them where those do not suffice', () => {
    const expression = new RegularExpression(hostile)
    const before = expression.bytes
    let most = before
    for (let end = 100; expression.bytes >= most; end += 100) {
      expression.matches(longText.slice(0, end))
      most = Math.max(most, expression.bytes)
    }
    expect(most).toBeGreaterThan(before + 128 * 1024)
    expect(most).toBeLessThanOrEqual(before + 256 * 1024)
    expression.matches(longText)
    expect(expression.bytes).toBe(before)
  })

  it('says the same with states and without', () => {
    const expression = new RegularExpression(hostile)
    expression.matches(longText)
    fc.assert(
      fc.property(letters, text => {
        const expected = text.length > 150 && text.at(-151) === 'a'
        expect([expression.matches(text), RE2JS.compile(hostile).testExact(text)]).toEqual([expected, expected])
      }),
    )
  })

  it.each([
    ['a.c', 5],
    ['x{1,80}', 161],
    ['\\pL', 8],
    ['[^\\pL]', 8],
    ['(?:){1000}', 3],
  ])('%s is measured as %d instructions', (pattern, instructions) => {
    expect(measurePattern(pattern)).toEqual({ instructions })
  })
})
