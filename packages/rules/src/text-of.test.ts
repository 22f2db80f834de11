import fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import { json } from '../test/values.ts'
import { type Decorator, decorate } from './decorators.ts'
import type { Operator } from './operator.ts'
import { compileOperator, operatorNamed } from './operators.ts'
import { textOf } from './text-of.ts'

function javaScriptText(value: unknown): string | undefined {
  try {
    return String(value)
  } catch {
    return undefined
  }
}

const lists = fc.array(json, { maxLength: 5 })
const texts = fc.oneof(fc.string({ maxLength: 3 }), fc.constantFrom('', '1', '10', '9,', '[obj'))

describe('textOf', () => {
  it('is what JavaScript says, where all of it is asked for', () => {
    fc.assert(
      fc.property(lists, list => {
        expect(textOf(list, Infinity)).toBe(javaScriptText(list))
      }),
    )
  })

  it('compares with texts and numbers as all of it does, however little of it was asked for', () => {
    fc.assert(
      fc.property(lists, texts, (list, other) => {
        const [some, whole] = [textOf(list, other.length + 1), javaScriptText(list)]
        expect(some === undefined).toBe(whole === undefined)
        if (some === undefined || whole === undefined) return
        expect([some < other, some > other, some === other]).toEqual([whole < other, whole > other, whole === other])
        const start = textOf(list, 0) as string
        expect([Number(start), Number.parseFloat(start)]).toEqual([Number(whole), Number.parseFloat(whole)])
      }),
      { numRuns: 1_000 },
    )
  })

  it('looks at no more than it must', () => {
    const long = [1, ...Array(1_000).fill(2)]
    expect([textOf(long, 0), textOf([long, 3], 4), textOf(['', long], 0)]).toEqual(['1,2', '1,2,2,3', ',1,2'])
    expect(textOf([...long, [[{ toString: 1 }]]], 0)).toBeUndefined()
  })
})

describe('an operator', () => {
  it('makes no text of whole lists for each question', () => {
    const join = vi.spyOn(Array.prototype, 'join')
    const numbers = Array(50).fill(1)
    const asked: [string, unknown, unknown][] = [
      ['someFact:lessThan', [0], numbers],
      ['someFact:swap:lessThan', [0], numbers],
      ['not:greaterThan', 7, numbers],
      ['swap:in', [1, 1], '1,2'],
    ]
    for (const [operator, named, found] of asked) compileOperator(operator, named)(found)
    const { length } = join.mock.calls
    join.mockRestore()
    expect(length).toBe(0)
  })

  it.each([
    [['lessThan'], 1, { toString: 1 }],
    [['not', 'lessThan'], 1, [{ toString: 1 }]],
    [['everyFact', 'not', 'between'], [1, 2], [{ toString: 1 }]],
    [['someValue', 'not', 'greaterThan'], [5], { toString: 1 }],
    [['swap', 'in'], 1, {}],
    [['not', 'swap', 'notIn'], 1, null],
    [['swap', 'not', 'everyValue', 'equal'], 1, 1],
  ])('says that it cannot be asked without throwing: %j of %j and %j', (names, value, found) => {
    const operator = operatorNamed(names.at(-1) as string) as Operator
    expect(decorate(names.slice(0, -1) as Decorator[], operator, value)(found)).toBeUndefined()
  })
})
