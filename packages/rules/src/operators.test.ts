import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { operatorAndValue } from '../test/conditions.ts'
import { json } from '../test/values.ts'
import { askEngine } from './engine.ts'
import { compileOperator, operatorNames, splitOperator } from './operators.ts'

/** The engine's own answer; false where it throws. */
function engineSays(operator: string, found: unknown, value: unknown): boolean {
  try {
    return askEngine(operator, found, value)
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
