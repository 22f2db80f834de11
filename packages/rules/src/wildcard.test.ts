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

  it.each([
    ['the shortest pieces', '*a'.repeat(limits.wildcardStars - 1)],
    ['pieces that nearly fit', `*${'a'.repeat(limits.wildcardPiece - 1)}b`.repeat(limits.wildcardStars - 1)],
  ])('looks for each piece once, behind the one before: %s', (_, pieces) => {
    const holds = wildcard.compile(`${pieces}*c*`)
    const from: number[] = []
    const { indexOf } = String.prototype
    String.prototype.indexOf = function (piece, at = 0) {
      from.push(at)
      return indexOf.call(this, piece, at)
    }
    try {
      expect(holds('a'.repeat(10_000))).toBe(false)
    } finally {
      Object.assign(String.prototype, { indexOf })
    }
    expect(from.length).toBeLessThanOrEqual(limits.wildcardStars)
    expect(from).toEqual([...new Set(from)].toSorted((a, b) => a - b))
  })
})
