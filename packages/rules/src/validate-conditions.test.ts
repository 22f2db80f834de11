import { describe, expect, it } from 'vitest'
import { about, clause, element, nested, used } from '../test/one-clause.ts'
import { limits } from './language.ts'
import { validateConditions } from './validate-conditions.ts'

describe('validateConditions', () => {
  it.each([
    ['one clause', { all: [clause] }],
    ['nested groups', { any: [{ all: [clause] }, { not: clause }] }],
    ['a path', { all: [{ ...clause, fact: 'context', path: "$.a['b c'][0]" }] }],
    ['the deepest nesting allowed', nested(limits.depth - 1)],
    ['names', { name: 'all of it', all: [{ ...clause, name: 'this' }] }],
    ['decorators', about('not:someFact:everyValue:startsWith', ['a'], { fact: 'context', path: '$.tags' })],
    ['a swap of what needs no preparation', about('swap:contains', ['a', 'b'])],
    ['conditions of an element', element(used, { any: [{ ...used, path: '$.x', name: 'n' }, { not: used }] })],
    ['an element in an element', element({ field: 'parts', operator: 'element', value: { all: [used] } })],
    [
      'what other operators would find strange',
      { all: [about('equal', null), about('equal', ''), about('in', [[1], 1])] },
    ],
    ['the word fact where it is no fact', about('in', [{ fact: 'a' }, 1])],
    ['a list of patterns', about('someValue:matches', ['a.*', 'b'])],
    ['networks', { all: [about('cidr', '10.0.0.0/8'), about('cidr', ['::1', '10.0.0.1'])] }],
  ])('accepts %s', (_, conditions) => {
    expect(validateConditions(conditions)).toEqual({ conditions, warnings: [] })
  })

  it.each([
    ['nothing', undefined, '', 'not_an_object'],
    ['an array', [], '', 'not_an_object'],
    ['a bare clause', clause, '', 'no_group'],
    ['two groups at once', { all: [clause], any: [clause] }, '', 'ambiguous'],
    ['a group that is no array', { all: clause }, '/all', 'not_an_array'],
    ['a list in not', { not: [clause] }, '/not', 'not_an_object'],
    ['an unknown operator', about('matchez', 1), '/all/0/operator', 'unknown_operator'],
    ['an unknown decorator', about('no:equal', 1), '/all/0/operator', 'unknown_operator'],
    ['a name that every object inherits', about('constructor', 1), '/all/0/operator', 'unknown_operator'],
    ['no value', { all: [{ fact: 'name', operator: 'equal' }] }, '/all/0/value', 'required'],
    ['no fact', { all: [{ operator: 'equal', value: 1 }] }, '/all/0/fact', 'required'],
    ['a fact as value', about('equal', { fact: 'source' }), '/all/0/value', 'not_supported'],
    ['params', about('equal', 1, { params: {} }), '/all/0/params', 'not_supported'],
    ['a priority', { any: [clause], priority: 1 }, '/priority', 'not_supported'],
    ['a shared condition', { condition: 'x' }, '', 'no_group'],
    ['a shared condition inside', { all: [{ ...clause, condition: 'x' }] }, '/all/0/condition', 'not_supported'],
    ['a prototype', JSON.parse('{"all": [], "__proto__": {}}'), '/__proto__', 'not_supported'],
    [
      'a prototype in a value',
      about('in', JSON.parse('[{"a": {"__proto__": []}}]')),
      '/all/0/value/0/a/__proto__',
      'not_supported',
    ],
    ['a wildcard path', about('equal', 1, { path: '$..x' }), '/all/0/path', 'bad_path'],
    ['a path that does not start', about('equal', 1, { path: 'a.b' }), '/all/0/path', 'bad_path'],
    ['a path that is no string', about('equal', 1, { path: null }), '/all/0/path', 'bad_path'],
    ['a script in a path', about('equal', 1, { path: '$[?(@.x)]' }), '/all/0/path', 'bad_path'],
    ['in without an array', about('in', 'abc'), '/all/0/value', 'not_an_array'],
    ['notIn without an array', about('not:notIn', null), '/all/0/value', 'not_an_array'],
    ['someValue without an array', about('someValue:equal', 'a'), '/all/0/value', 'not_an_array'],
    ['someValue:in without arrays', about('someValue:in', [['a'], 'b']), '/all/0/value/1', 'not_an_array'],
    ['a swapped everyFact without an array', about('swap:everyFact:equal', 1), '/all/0/value', 'not_an_array'],
    ['a pattern that an alert would bring', about('swap:matches', 'a'), '/all/0/value', 'not_supported'],
    ['a prefix that is no text', about('startsWith', 5), '/all/0/value', 'not_a_string'],
    ['one prefix of a list', about('someValue:endsWith', ['a', 5]), '/all/0/value/1', 'not_a_string'],
    ['exists with a text', about('exists', 'true'), '/all/0/value', 'not_a_boolean'],
    ['one bound', about('between', [1]), '/all/0/value', 'bad_bounds'],
    ['three bounds', about('between', [1, 2, 3]), '/all/0/value', 'bad_bounds'],
    ['bounds as text', about('between', ['1', '2']), '/all/0/value', 'bad_bounds'],
    ['a network that is none', about('cidr', '10.0.0/8'), '/all/0/value', 'bad_network'],
    ['a network of a list', about('cidr', ['::1', '10.0.0.1/8']), '/all/0/value/1', 'bad_network'],
    ['a network that is a number', about('cidr', 10), '/all/0/value', 'bad_network'],
    ['a last backslash', about('wildcard', 'a\\'), '/all/0/value', 'bad_pattern'],
    ['a pattern that looks back', about('matches', '(a)\\1'), '/all/0/value', 'bad_pattern'],
    ['a pattern that looks ahead', about('matches', 'a(?=b)'), '/all/0/value', 'bad_pattern'],
    ['a list that is none', about('in', { length: { toString: 0 } }), '/all/0/value', 'not_an_array'],
    ['bounds that are none', about('between', { length: { toString: 0 } }), '/all/0/value', 'bad_bounds'],
    ['networks that are none', about('cidr', { length: { toString: 0 } }), '/all/0/value', 'bad_network'],
    ['many prefixes', about('startsWith', Array(limits.listLength + 1).fill('a')), '/all/0/value', 'not_a_string'],
    ['many bounds', about('between', Array(limits.listLength + 1).fill(1)), '/all/0/value', 'bad_bounds'],
    ['many that are no networks', about('cidr', Array(limits.listLength + 1).fill(1)), '/all/0/value', 'bad_network'],
    ['an element without a group', about('element', used), '/all/0/value', 'no_group'],
    ['an element of nothing', about('element', []), '/all/0/value', 'not_an_object'],
    ['a fact in an element', element({ ...clause }), '/all/0/value/all/0/field', 'required'],
    ['a field outside of an element', { all: [used] }, '/all/0/fact', 'required'],
    ['a value of an element', element({ ...used, operator: 'in' }), '/all/0/value/all/0/value', 'not_an_array'],
  ])('refuses %s with its place and code', (_, conditions, pointer, code) => {
    const result = validateConditions(conditions)
    expect(result).toEqual({ problems: [{ pointer, code, message: expect.stringMatching(/^[a-z].*[^.]$/) }] })
  })

  it('says once that a pattern cannot be read', () => {
    const message = 'is no RE2 pattern: missing closing ): `(a`'
    expect(validateConditions(about('matches', '(a'))).toHaveProperty('problems.0.message', message)
  })

  it('escapes what a pointer must escape', () => {
    const result = validateConditions({ all: [{ ...clause, 'a/b~c': 1 }] })
    expect(result).toHaveProperty('warnings', [expect.objectContaining({ pointer: '/all/0/a~1b~0c' })])
  })

  it('names every problem at once', () => {
    const result = validateConditions({ all: [{ fact: '', operator: 'x', value: 1 }, { not: [] }] })
    expect(result).toEqual({
      problems: [
        expect.objectContaining({ pointer: '/all/0/fact' }),
        expect.objectContaining({ pointer: '/all/0/operator' }),
        expect.objectContaining({ pointer: '/all/1/not' }),
      ],
    })
  })
})
