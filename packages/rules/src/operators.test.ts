import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { operatorAndValue } from '../test/conditions.ts'
import { json } from '../test/values.ts'
import { askEngine, createJudge } from './engine.ts'
import { copyOfNamed } from './named-value.ts'
import { compileOperator, operatorNames, splitOperator } from './operators.ts'

/** The engine's own answer to a value as it arrives there; false where it throws. */
function engineSays(operator: string, found: unknown, value: unknown): boolean {
  try {
    return askEngine(operator, found, copyOfNamed(value))
  } catch {
    return false
  }
}

const found = fc.oneof(
  { weight: 20, arbitrary: json },
  { weight: 1, arbitrary: fc.constantFrom(undefined, Number.NaN, Infinity) },
)

describe('compileOperator', () => {
  it('says what the operator of json-rules-engine says, whatever its decorators', () => {
    fc.assert(
      fc.property(operatorAndValue, fc.array(found, { minLength: 1, maxLength: 6 }), ({ operator, value }, values) => {
        const holds = compileOperator(operator, value)
        for (const one of values) expect([one, holds(one)]).toEqual([one, engineSays(operator, one, value)])
      }),
      { numRuns: 3_000 },
    )
  })

  it.each(operatorNames.filter(name => name !== 'element'))('%s agrees with the engine on values of any kind', name => {
    fc.assert(
      fc.property(json, found, (value, one) => {
        expect(compileOperator(name, value)(one)).toBe(engineSays(name, one, value))
      }),
      { numRuns: 200 },
    )
  })
})

describe('a value of a rule', () => {
  const hostile = { toString: 1, x: { constructor: 2 } }

  it.each([
    ['lessThan', hostile, '1'],
    ['not:swap:lessThanInclusive', [hostile], {}],
    ['someValue:greaterThan', [hostile, 1], '9'],
  ])('is compared as the copy that the engine makes: %s %j', async (operator, value, found) => {
    const judge = createJudge([{ id: 'r', conditions: { all: [{ fact: 'f', operator, value }] } }])
    const [verdict] = await judge.match({ f: found })
    expect(compileOperator(operator, value)(found)).toBe(verdict === 'r')
  })

  it('may change later without changing the clause', () => {
    const value = ['a']
    const holds = compileOperator('in', value)
    value[0] = 'b'
    expect([holds('a'), holds('b')]).toEqual([true, false])
  })
})

describe('splitOperator', () => {
  it.each([
    ['equal', { decorators: [], base: 'equal' }],
    ['not:someFact:startsWith', { decorators: ['not', 'someFact'], base: 'startsWith' }],
    ['swap:swap:in', { decorators: ['swap', 'swap'], base: 'in' }],
    ['', undefined],
    [':equal', undefined],
    ['equal:', undefined],
    ['not:', undefined],
    ['equal:not', undefined],
    ['constructor', undefined],
    ['toString:equal', undefined],
  ])('%s', (name, parts) => {
    expect(splitOperator(name)).toEqual(parts)
  })
})
