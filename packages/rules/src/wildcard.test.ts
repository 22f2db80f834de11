import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { limits } from './language.ts'
import { parseWildcard, wildcard } from './wildcard.ts'

/** By definition: each star tried with every length. */
function slowly(pattern: string, text: string): boolean {
  if (pattern === '') return text === ''
  if (pattern[0] === '*') return slowly(pattern.slice(1), text) || (text !== '' && slowly(pattern, text.slice(1)))
  const escaped = pattern[0] === '\\'
  const literal = pattern[escaped ? 1 : 0]
  return literal === text[0] && slowly(pattern.slice(escaped ? 2 : 1), text.slice(1))
}

describe('wildcard', () => {
  it('tries every way to fill the stars', () => {
    const pattern = fc.string({ unit: fc.constantFrom('a', 'b', '*', '\\*', '\\\\', '\\a'), maxLength: 8 })
    const text = fc.string({ unit: fc.constantFrom('a', 'b', '*', '\\'), maxLength: 8 })
    fc.assert(
      fc.property(pattern, text, (named, found) => {
        expect(wildcard.holds(found, named)).toBe(slowly(named, found))
      }),
      { numRuns: 3_000 },
    )
  })

  it.each([
    ['api-*', 'api-', true],
    ['*', '', true],
    ['', '', true],
    ['', 'a', false],
    ['ab*ba', 'aba', false],
    ['*a*a*', 'a', false],
    ['100\\*', '100*', true],
    ['100\\*', '1000', false],
    ['C:\\\\*', 'C:\\temp', true],
    ['a*', 10, false],
    ['1*', 10, false],
  ])('%s of %s is %s', (pattern, text, expected) => {
    expect(wildcard.holds(text, pattern)).toBe(expected)
  })

  it('does not hold of anything when its last backslash escapes nothing', () => {
    expect(parseWildcard('a\\')).toHaveProperty('problem')
    expect(wildcard.holds('a\\', 'a\\')).toBe(false)
  })

  it('takes time in proportion to the text, at the limits too', () => {
    const half = 'a'.repeat(limits.wildcardPiece / 2)
    const pattern = `*${Array(limits.wildcardStars - 1)
      .fill(`${half}b${half.slice(1)}`)
      .join('*')}*`
    const holds = wildcard.compile(pattern)
    const started = performance.now()
    expect(holds('a'.repeat(512 * 1024))).toBe(false)
    expect(performance.now() - started).toBeLessThan(500)
  })
})
