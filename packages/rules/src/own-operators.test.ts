import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { json } from '../test/values.ts'
import { askEngine } from './engine.ts'
import { compileOperator } from './operators.ts'
import { ownOperators } from './own-operators.ts'

const holds = (operator: string, found: unknown, value: unknown) => compileOperator(operator, value)(found)

describe.each([
  [
    'startsWith',
    'ab',
    [
      ['ab', true],
      ['abc', true],
      ['a', false],
      ['AB', false],
      [['ab'], false],
    ],
  ],
  [
    'startsWith',
    '',
    [
      ['', true],
      ['x', true],
      [undefined, false],
    ],
  ],
  [
    'startsWith',
    '1',
    [
      ['10', true],
      [10, false],
    ],
  ],
  [
    'endsWith',
    'bc',
    [
      ['abc', true],
      ['bc', true],
      ['bcd', false],
      [null, false],
    ],
  ],
  [
    'equalsIgnoreCase',
    'Straße',
    [
      ['STRAßE', true],
      ['straẞe', true],
      ['STRASSE', false],
      [5, false],
    ],
  ],
  [
    'exists',
    true,
    [
      [undefined, false],
      [null, true],
      [false, true],
      ['', true],
    ],
  ],
  [
    'exists',
    false,
    [
      [undefined, true],
      [null, false],
      [0, false],
    ],
  ],
  [
    'between',
    [9, 11],
    [
      [9, true],
      [11, true],
      [8.999, false],
      [11.001, false],
      ['10', true],
      ['10a', false],
      ['', false],
    ],
  ],
  [
    'between',
    [9, 11],
    [
      [[10], true],
      [null, false],
      [true, false],
      [undefined, false],
      [{ toString: 1 }, false],
    ],
  ],
  [
    'between',
    [2, 1],
    [
      [1.5, false],
      [2, false],
    ],
  ],
  [
    'matches',
    'a.c',
    [
      ['abc', true],
      ['xabcx', false],
      ['a\nc', false],
      ['', false],
      [undefined, false],
      [['abc'], false],
    ],
  ],
  [
    'matches',
    '(?i)err.*',
    [
      ['ERROR 5', true],
      ['an error', false],
    ],
  ],
  [
    'matches',
    '.{1}',
    [
      ['😀', true],
      ['\ud800', true],
      ['ab', false],
    ],
  ],
])('%s %j', (operator, value, cases) => {
  it.each(cases as [unknown, boolean][])('of %j is %s', (found, expected) => {
    expect(holds(operator as string, found, value)).toBe(expected)
  })
})

describe('our operators', () => {
  it('are false of a missing value and of null, but for exists', () => {
    const named = { between: [0, 1], cidr: '0.0.0.0/0' }
    for (const name of ownOperators.keys()) {
      if (name === 'exists') continue
      const value = (named as Record<string, unknown>)[name] ?? ''
      expect([name, holds(name, undefined, value), holds(name, null, value)]).toEqual([name, false, false])
    }
  })

  it('do not throw, whatever they are compiled with', () => {
    fc.assert(
      fc.property(fc.constantFrom(...ownOperators.keys()), json, json, (name, value, found) => {
        expect(typeof compileOperator(name, value)(found)).toBe('boolean')
      }),
      { numRuns: 1_000 },
    )
  })

  it('between is both of the comparisons that json-rules-engine has for it', () => {
    const bound = fc.constantFrom(-1, 0, 9, 10, 11, 1e21)
    const comparable = json.filter(value => value === null || typeof value !== 'object')
    fc.assert(
      fc.property(comparable, bound, bound, (found, low, high) => {
        const both = askEngine('greaterThanInclusive', found, low) && askEngine('lessThanInclusive', found, high)
        expect(holds('between', found, [low, high])).toBe(both)
      }),
    )
  })

  it('matches is what a JavaScript expression says of the whole text, where both know the syntax', () => {
    const atom = fc.constantFrom('a', 'b', '.', '[ab]', '[^a]', '\\d', '(a|b)', '(?:ab)')
    const repeated = fc
      .tuple(atom, fc.constantFrom('', '*', '+', '?', '{2}', '{1,3}', '*?'))
      .map(parts => parts.join(''))
    const pattern = fc.array(repeated, { maxLength: 5 }).map(parts => parts.join(''))
    const text = fc.string({ unit: fc.constantFrom('a', 'b', '1', '\n', '😀'), maxLength: 6 })
    fc.assert(
      fc.property(pattern, text, (source, found) => {
        expect(holds('matches', found, source)).toBe(new RegExp(`^(?:${source})$`, 'u').test(found))
      }),
      { numRuns: 1_000 },
    )
  })
})
