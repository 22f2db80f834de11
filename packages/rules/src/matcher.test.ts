import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { alerts, conditions } from '../test/conditions.ts'
import { type Crowd, crowds } from '../test/crowded-rules.ts'
import { compilePlainly } from '../test/plain-matcher.ts'
import { createJudge } from './engine.ts'
import { type Condition, limits } from './language.ts'
import { createMatcher, InvalidConditions } from './matcher.ts'

const deep = process.env.TOCSIN_TEST_DEEP === '1'

const matches = (rule: object, alert: object): boolean => {
  const matcher = createMatcher({ validated: true })
  matcher.add({ id: 'r', conditions: rule })
  return matcher.match(alert).length === 1
}

const numbered = (rules: readonly object[]) => rules.map((rule, index) => ({ id: `r${index}`, conditions: rule }))

/** What is generated is valid: to check it again would double the time of these tests. */
function matcherOf(rules: readonly object[]) {
  const matcher = createMatcher({ validated: true })
  for (const rule of numbered(rules)) matcher.add(rule)
  return matcher
}

const sets = (rules: number, many: number): fc.Arbitrary<Crowd> =>
  fc.record({
    rules: fc.array(conditions, { minLength: 1, maxLength: rules, size: 'max' }),
    alerts: fc.array(alerts, { minLength: 1, maxLength: many, size: 'max' }),
  })

describe('match', () => {
  it.each([
    ['rules of any kind', sets(60, 40)],
    ['rules that ask much the same', crowds({ rules: 100, alerts: 40 })],
  ])('gives the verdict of json-rules-engine on %s', { timeout: 900_000 }, async (_, generated) => {
    let pairs = 0
    const wanted = deep ? 1_000_000 : 50_000
    while (pairs < wanted) {
      await fc.assert(
        fc.asyncProperty(generated, async ({ rules, alerts: many }) => {
          const matcher = matcherOf(rules)
          const judge = createJudge(numbered(rules))
          for (const alert of many) {
            expect(matcher.match(alert).sort()).toEqual((await judge.match(alert)).sort())
          }
          pairs += rules.length * many.length
        }),
        { numRuns: 20 },
      )
    }
  })

  it('finds among many rules those that hold when each is asked', { timeout: 600_000 }, () => {
    fc.assert(
      fc.property(sets(400, 60), ({ rules, alerts: many }) => {
        const matcher = matcherOf(rules)
        const plain = rules.map((rule, index) => ({ id: `r${index}`, holds: compilePlainly(rule as Condition) }))
        for (const alert of many) {
          const expected = plain.filter(({ holds }) => holds(alert)).map(({ id }) => id)
          expect(matcher.match(alert).sort()).toEqual(expected.sort())
        }
      }),
      { numRuns: deep ? 1_500 : 60 },
    )
  })

  // Each of these was a difference once, or shows why the next one looks as it does.
  it.each([
    ['an empty any holds', { any: [] }, {}, true],
    ['not of an empty any does not', { not: { any: [] } }, {}, false],
    ['an empty all holds', { all: [] }, {}, true],
    ['a missing value is not equal to anything', { all: [{ fact: 'x', operator: 'notEqual', value: 1 }] }, {}, true],
    [
      'a missing value passes no doesNotContain',
      { all: [{ fact: 'x', operator: 'doesNotContain', value: 1 }] },
      {},
      false,
    ],
    ['"10" is more than 9', { all: [{ fact: 'x', operator: 'greaterThan', value: 9 }] }, { x: '10' }, true],
    ['"10" is less than "9"', { all: [{ fact: 'x', operator: 'lessThan', value: '9' }] }, { x: '10' }, true],
    ['[10] is more than 9', { all: [{ fact: 'x', operator: 'greaterThan', value: 9 }] }, { x: [[10]] }, true],
    [
      'what is no number is not less, and so passes not',
      { not: { fact: 'x', operator: 'lessThan', value: 9 } },
      { x: '9a' },
      true,
    ],
    [
      'a path on a scalar gives the scalar',
      { all: [{ fact: 'x', operator: 'equal', value: 7, path: '$.a' }] },
      { x: 7 },
      true,
    ],
    [
      'the empty text has no length',
      { not: { fact: 'context', path: '$.b.length', operator: 'lessThan', value: 11 } },
      { context: { b: '' } },
      true,
    ],
    ['an inherited member is none', { all: [{ fact: 'constructor', operator: 'notEqual', value: 1 }] }, {}, true],
    [
      'an own __proto__ is a member like any other',
      { all: [{ fact: 'context', path: '$.__proto__', operator: 'equal', value: 1 }] },
      JSON.parse('{"context": {"__proto__": 1}}'),
      true,
    ],
    [
      'a group is a group, whatever else stands in it',
      { all: [{ fact: 'source', operator: 'equal', value: 1 }], fact: 'name', operator: 'equal', value: 2 },
      { name: 2, source: 0 },
      false,
    ],
    ['a group has no operator', { all: [{ any: [], operator: 'and' }], operator: 'and' }, {}, true],
    [
      'a clause about the alert has no field',
      { all: [{ fact: 'source', field: 'name', operator: 'equal', value: 1 }] },
      { source: 1, name: 9 },
      true,
    ],
    [
      'a clause about an element has no fact',
      {
        all: [
          {
            ...{ fact: 'list', operator: 'element' },
            value: { any: [{ fact: 'a', field: 'b', operator: 'equal', value: 1 }], operator: 'or' },
          },
        ],
      },
      { list: [{ a: 9, b: 1 }] },
      true,
    ],
    [
      'a list may bring the same member twice and gives the rule once',
      {
        any: [
          { fact: 'x', operator: 'contains', value: 1 },
          { fact: 'x', operator: 'contains', value: 2 },
        ],
      },
      { x: [1, 2, 1] },
      true,
    ],
  ])('%s', async (_, rule, alert, expected) => {
    expect(matches(rule, alert)).toBe(expected)
    expect(await createJudge([{ id: 'r', conditions: rule }]).match(alert)).toEqual(expected ? ['r'] : [])
    expect(compilePlainly(rule as Condition)(alert)).toBe(expected)
  })

  it('never throws: a clause on a value that cannot be compared is false, and other rules go on', () => {
    const hostile = JSON.parse('{"context": {"toString": 1, "__proto__": {"x": 1}}}')
    const matcher = createMatcher()
    matcher.add({ id: 'compares', conditions: { all: [{ fact: 'context', operator: 'lessThan', value: 1 }] } })
    matcher.add({
      id: 'other',
      conditions: { all: [{ fact: 'context', path: '$.toString', operator: 'equal', value: 1 }] },
    })
    expect(matcher.match(hostile)).toEqual(['other'])
  })

  it.each([
    ['a list of such an object', { context: [{ toString: 1 }] }],
    ['a context of 100,000 levels', { context: nested(100_000) }],
    ['a text of a million characters', { context: 'x'.repeat(1_000_000) }],
    ['half of a surrogate pair', { context: '\ud800' }],
    ['no number', { context: Number.NaN }],
    ['too large a number', { context: Number.POSITIVE_INFINITY }],
    ['an array', ['context']],
  ])('does not stumble over %s', (_, alert) => {
    const rules = fc.sample(conditions, { numRuns: 300, seed: 1 })
    const plain = rules.map((rule, index) => ({ id: `r${index}`, holds: compilePlainly(rule as Condition) }))
    const expected = plain.filter(({ holds }) => holds(alert as Record<string, unknown>)).map(({ id }) => id)
    expect(matcherOf(rules).match(alert).sort()).toEqual(expected.sort())
  })

  it('gives what a caller may change', () => {
    const matcher = matcherOf([{ all: [] }])
    matcher.match({}).push('mine')
    expect(matcher.match({})).toEqual(['r0'])
  })
})

function nested(levels: number): unknown {
  let value: unknown = 1
  for (let level = 0; level < levels; level++) value = level % 2 === 0 ? [value] : { a: value }
  return value
}

describe('add', () => {
  const bad = {
    all: [
      { fact: 'x', operator: 'equal', value: 1 },
      { fact: 'x', operator: 'matchez', value: 1 },
    ],
  }

  it.each([false, true])(
    'refuses what cannot be used and keeps the rule of before (validated before: %s)',
    validated => {
      const matcher = createMatcher({ validated })
      matcher.add({ id: 'r0', conditions: { all: [] } })
      expect(() => matcher.add({ id: 'r0', conditions: bad })).toThrow(/r0|matchez/)
      expect([matcher.size, matcher.match({})]).toEqual([1, ['r0']])
    },
  )

  it('says what is wrong and where', () => {
    const refuse = () => createMatcher().add({ id: 'r0', conditions: bad })
    expect(refuse).toThrow(InvalidConditions)
    expect(refuse).toThrow(
      expect.objectContaining({ problems: [expect.objectContaining({ pointer: '/all/1/operator' })] }),
    )
  })

  it('refuses a rule that would be too costly for everybody', () => {
    const costly = { any: Array(limits.clauses + 1).fill({ fact: 'x', operator: 'equal', value: 1 }) }
    expect(() => createMatcher().add({ id: 'r0', conditions: costly })).toThrow(InvalidConditions)
  })
})
