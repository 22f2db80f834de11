import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { elementConditions } from '../test/conditions.ts'
import { json } from '../test/values.ts'
import { createJudge } from './engine.ts'
import { compileOperator } from './operators.ts'

const isObject = (value: unknown) => typeof value === 'object' && value !== null && !Array.isArray(value)

/** The same conditions about an alert: every field is a fact. */
function aboutAlert(condition: Record<string, unknown>): Record<string, unknown> {
  const inner = (child: unknown) => aboutAlert(child as Record<string, unknown>)
  if (Array.isArray(condition.all)) return { all: condition.all.map(inner) }
  if (Array.isArray(condition.any)) return { any: condition.any.map(inner) }
  if (Object.hasOwn(condition, 'not')) return { not: inner(condition.not) }
  const { field, ...rest } = condition
  return { ...rest, fact: field }
}

describe('element', () => {
  it('holds where the engine would let one element pass as an alert of its own', async () => {
    const list = fc.oneof({ weight: 9, arbitrary: fc.array(json, { maxLength: 4 }) }, json)
    await fc.assert(
      fc.asyncProperty(elementConditions, list, async (nested, found) => {
        const judge = createJudge([{ id: 'r', conditions: aboutAlert(nested as Record<string, unknown>) }])
        let expected = false
        for (const member of Array.isArray(found) ? found.filter(isObject) : []) {
          if ((await judge.match(member)).length > 0) expected = true
        }
        expect(compileOperator('element', nested)(found)).toBe(expected)
      }),
      { numRuns: 500 },
    )
  })

  const full = {
    all: [
      { field: 'name', operator: 'equal', value: '/' },
      { field: 'used', operator: 'greaterThan', value: 90 },
    ],
  }

  it.each([
    [
      'one element meets all',
      [
        { name: '/home', used: 99 },
        { name: '/', used: 95 },
      ],
      true,
    ],
    [
      'two elements meet one each',
      [
        { name: '/home', used: 99 },
        { name: '/', used: 5 },
      ],
      false,
    ],
    ['no array', { name: '/', used: 95 }, false],
    ['nothing', undefined, false],
    ['no objects', [1, null, 'x', [{ name: '/', used: 95 }]], false],
  ])('%s: %j', (_, found, expected) => {
    expect(compileOperator('element', full)(found)).toBe(expected)
  })

  it('does not take a scalar for an object without fields', () => {
    const lacks = { not: { field: 'a', operator: 'exists', value: true } }
    expect(compileOperator('element', lacks)([1, 'x', null, []])).toBe(false)
    expect(compileOperator('element', lacks)([{}])).toBe(true)
  })

  it('reads own fields only', () => {
    const inherited = { all: [{ field: 'constructor', operator: 'exists', value: true }] }
    expect(compileOperator('element', inherited)([{}])).toBe(false)
  })

  it('takes a clause that throws as false, and its neighbours as they are', () => {
    const compares = {
      any: [
        { field: 'a', operator: 'lessThan', value: 1 },
        { field: 'b', operator: 'equal', value: 1 },
      ],
    }
    expect(compileOperator('element', compares)([{ a: { toString: 1 }, b: 1 }])).toBe(true)
  })
})
