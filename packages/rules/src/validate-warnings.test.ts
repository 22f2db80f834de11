import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { conditions } from '../test/conditions.ts'
import { about, clause } from '../test/one-clause.ts'
import { json } from '../test/values.ts'
import { validateConditions } from './validate-conditions.ts'

describe('warnings of validateConditions', () => {
  it.each([
    ['a misspelt member', about('equal', 1, { vaule: 1 }), '/all/0/vaule', 'unknown_field'],
    ['a clause in a group', { all: [clause], operator: 'equal' }, '/operator', 'unknown_field'],
    ['a fact that no alert has', about('equal', 1, { fact: 'region' }), '/all/0/fact', 'unknown_fact'],
    ['a path on a scalar', about('equal', 1, { path: '$.a' }), '/all/0/path', 'path_on_scalar'],
    ['an empty any', { any: [] }, '/any', 'empty_group'],
    ['an empty all', { all: [] }, '/all', 'empty_group'],
    ['the whole context', about('equal', 1, { fact: 'context' }), '/all/0', 'never_holds'],
    ['a severity that is none', about('equal', 'high', { fact: 'severity' }), '/all/0/value', 'never_holds'],
    ['severities that are none', about('in', ['high', 1], { fact: 'severity' }), '/all/0/value', 'never_holds'],
    ['an empty list', about('in', []), '/all/0/value', 'never_holds'],
    ['an empty list negated', about('not:in', []), '/all/0/value', 'always_holds'],
    ['an empty list to walk', about('someValue:equal', []), '/all/0/value', 'never_holds'],
    ['an empty list to walk negated', about('not:everyValue:equal', []), '/all/0/value', 'never_holds'],
    ['an object', about('equal', {}), '/all/0/value', 'never_holds'],
    ['objects', about('notIn', [{}, []]), '/all/0/value', 'always_holds'],
    ['an array to contain', about('contains', []), '/all/0/value', 'never_holds'],
    ['a number as text', about('greaterThan', '10'), '/all/0/value', 'odd_comparison'],
    ['no number', about('lessThan', 'high'), '/all/0/value', 'odd_comparison'],
    ['null', about('lessThan', null), '/all/0/value', 'odd_comparison'],
    ['bounds the wrong way round', about('between', [2, 1]), '/all/0/value', 'never_holds'],
    ['no network', about('cidr', []), '/all/0/value', 'never_holds'],
    ['an empty prefix', about('startsWith', ''), '/all/0/value', 'always_holds'],
    ['a path of Windows', about('wildcard', 'C:\\Users*'), '/all/0/value', 'odd_escape'],
  ])('%s', (_, conditions, pointer, code) => {
    const message = expect.stringMatching(/^[a-z].*[^.]$/)
    expect(validateConditions(conditions)).toEqual({ conditions, warnings: [{ pointer, code, message }] })
  })

  it('do not stop any generated rule', () => {
    fc.assert(
      fc.property(conditions, rule => {
        expect((validateConditions(rule) as { conditions: object }).conditions).toBe(rule)
      }),
    )
  })

  it('and problems are all that comes of anything that JSON can be', () => {
    const any = fc.oneof(
      fc.json().map(text => JSON.parse(text)),
      json,
    )
    fc.assert(
      fc.property(any, fc.constantFrom('all', 'any', 'not'), (value, group) => {
        const result = validateConditions({ [group]: group === 'not' ? value : [value, clause] })
        expect('problems' in result || 'conditions' in result).toBe(true)
      }),
    )
  })
})
