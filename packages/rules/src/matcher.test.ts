import fc from 'fast-check'
import { Engine } from 'json-rules-engine'
import { describe, expect, it } from 'vitest'
import { builtInOperators } from './built-in-operators.ts'
import { createMatcher } from './matcher.ts'
import { validateConditions } from './validate-conditions.ts'

const matches = (conditions: object, alert: object): boolean => {
  const matcher = createMatcher()
  matcher.add({ id: 'r', conditions })
  return matcher.match(alert).length === 1
}

/** The engine's own verdict, or undefined where it throws. */
async function verdict(conditions: object, alert: Record<string, unknown>): Promise<boolean | undefined> {
  const engine = new Engine([{ conditions: conditions as never, event: { type: 'm' } }], { allowUndefinedFacts: true })
  const result = await engine.run(alert).catch(() => undefined)
  return result && result.events.length === 1
}

const scalar = fc.oneof(
  fc.constantFrom<unknown>('api', 'db', '', '10', '9', '9a', 0, 1, 9, 10, -1, 1e21, true, false, null),
  fc.integer(),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.string({ maxLength: 4 }),
)
const value = fc.oneof({ weight: 4, arbitrary: scalar }, fc.array(scalar, { maxLength: 3 }), fc.constant({ x: 1 }))
const key = fc.constantFrom('a', 'b', 'list', 'x')
const context = fc.letrec<{ node: unknown }>(tie => ({
  node: fc.oneof(
    { depthSize: 'small' },
    value,
    fc.dictionary(key, tie('node'), { maxKeys: 3 }),
    fc.array(tie('node'), { maxLength: 2 }),
  ),
})).node
const alerts = fc.record({
  severity: fc.constantFrom('LOW', 'HIGH', '10'),
  source: scalar,
  context: fc.dictionary(key, context, { maxKeys: 3 }),
})
const path = fc
  .array(
    fc.oneof(
      key.map(name => `.${name}`),
      key.map(name => `['${name}']`),
      fc.constantFrom('[0]', '[1]'),
    ),
    { maxLength: 3 },
  )
  .map(steps => `$${steps.join('')}`)

const clause = fc
  .record(
    {
      fact: fc.constantFrom('severity', 'source', 'context', 'missing'),
      operator: fc.constantFrom(...builtInOperators.keys()),
      value,
      path,
    },
    { requiredKeys: ['fact', 'operator', 'value'] },
  )
  .map(({ path: where, ...rest }) => ({
    ...rest,
    ...(where === undefined ? {} : { path: where }),
    value: rest.operator === 'in' || rest.operator === 'notIn' ? [rest.value].flat() : rest.value,
  }))
const conditions = fc.letrec<{ group: object; node: object }>(tie => ({
  node: fc.oneof({ depthSize: 'small', withCrossShrink: true }, clause, tie('group')),
  group: fc.oneof(
    fc.array(tie('node'), { maxLength: 3 }).map(all => ({ all })),
    fc.array(tie('node'), { maxLength: 3 }).map(any => ({ any })),
    tie('node').map(not => ({ not })),
  ),
})).group

describe('match', () => {
  it('gives the verdict of json-rules-engine wherever that gives one', async () => {
    await fc.assert(
      fc.asyncProperty(conditions, alerts, async (rule, alert) => {
        const expected = await verdict(rule, alert)
        fc.pre(expected !== undefined)
        expect(matches(rule, alert)).toBe(expected)
      }),
      { numRuns: 3_000 },
    )
  })

  it.each([
    ['an empty any holds', { any: [] }, {}, true],
    ['a missing value is not equal to anything', { all: [{ fact: 'x', operator: 'notEqual', value: 1 }] }, {}, true],
    [
      'a missing value passes no doesNotContain',
      { all: [{ fact: 'x', operator: 'doesNotContain', value: 1 }] },
      {},
      false,
    ],
    ['"10" is more than 9', { all: [{ fact: 'x', operator: 'greaterThan', value: 9 }] }, { x: '10' }, true],
    [
      'a path on a scalar gives the scalar',
      { all: [{ fact: 'x', operator: 'equal', value: 7, path: '$.a' }] },
      { x: 7 },
      true,
    ],
    ['an inherited member is none', { all: [{ fact: 'constructor', operator: 'notEqual', value: 1 }] }, {}, true],
    [
      'what is inherited cannot be reached by a path',
      { all: [{ fact: 'context', operator: 'equal', value: undefined, path: '$.constructor.name' }] },
      { context: {} },
      true,
    ],
  ])('%s', (_, rule, alert, expected) => {
    expect(matches(rule, alert)).toBe(expected)
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

  it('forgets a removed rule and replaces one that is added again', () => {
    const matcher = createMatcher()
    const equals = (value: string) => ({ all: [{ fact: 'name', operator: 'equal', value }] })
    matcher.add({ id: 'r', conditions: equals('a') })
    matcher.add({ id: 'r', conditions: equals('b') })
    expect([matcher.size, matcher.match({ name: 'a' }), matcher.match({ name: 'b' })]).toEqual([1, [], ['r']])
    matcher.remove('r')
    expect([matcher.size, matcher.match({ name: 'b' })]).toEqual([0, []])
  })

  it('takes every generated rule that validation accepts', () => {
    fc.assert(
      fc.property(conditions, rule => {
        const checked = validateConditions(rule)
        if ('conditions' in checked) createMatcher().add({ id: 'r', conditions: checked.conditions })
      }),
    )
  })
})
