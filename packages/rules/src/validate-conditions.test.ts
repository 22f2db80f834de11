import { describe, expect, it } from 'vitest'
import { limits } from './language.ts'
import { shorthandConditions } from './shorthand.ts'
import { validateConditions } from './validate-conditions.ts'

const clause = { fact: 'severity', operator: 'equal', value: 'HIGH' }
const nested = (levels: number): object => (levels === 0 ? clause : { all: [nested(levels - 1)] })

describe('validateConditions', () => {
  it.each([
    ['one clause', { all: [clause] }],
    ['nested groups', { any: [{ all: [clause] }, { not: clause }] }],
    ['a path', { all: [{ ...clause, fact: 'context', path: "$.a['b c'][0]" }] }],
    ['an empty all', { all: [] }],
    ['a fact that no alert has', { all: [{ ...clause, fact: 'region' }] }],
    ['the deepest nesting allowed', nested(limits.depth - 1)],
  ])('accepts %s', (_, conditions) => {
    expect(validateConditions(conditions)).toEqual({ conditions })
  })

  it.each([
    ['nothing', undefined, '', 'not_an_object'],
    ['an array', [], '', 'not_an_object'],
    ['a bare clause', clause, '', 'no_group'],
    ['two groups at once', { all: [clause], any: [clause] }, '', 'ambiguous'],
    ['a group that is no array', { all: clause }, '/all', 'not_an_array'],
    ['an unknown operator', { all: [{ ...clause, operator: 'matchez' }] }, '/all/0/operator', 'unknown_operator'],
    ['no value', { all: [{ fact: 'a', operator: 'equal' }] }, '/all/0/value', 'required'],
    ['no fact', { all: [{ operator: 'equal', value: 1 }] }, '/all/0/fact', 'required'],
    ['a fact as value', { all: [{ ...clause, value: { fact: 'source' } }] }, '/all/0/value', 'not_supported'],
    ['in without an array', { all: [{ ...clause, operator: 'in' }] }, '/all/0/value', 'not_an_array'],
    ['params', { all: [{ ...clause, params: {} }] }, '/all/0/params', 'not_supported'],
    ['a priority', { any: [clause], priority: 1 }, '/priority', 'not_supported'],
    ['a shared condition', { condition: 'x' }, '', 'no_group'],
    ['a misspelt member', { all: [{ ...clause, vaule: 1 }] }, '/all/0/vaule', 'unknown_field'],
    ['a wildcard path', { all: [{ ...clause, path: '$..x' }] }, '/all/0/path', 'bad_path'],
    ['a path that does not start', { all: [{ ...clause, path: 'a.b' }] }, '/all/0/path', 'bad_path'],
    ['a script in a path', { all: [{ ...clause, path: '$[?(@.x)]' }] }, '/all/0/path', 'bad_path'],
    ['too deep a nesting', nested(limits.depth), `${'/all/0'.repeat(limits.depth)}`, 'too_deep'],
    ['too many clauses', { all: Array(limits.clauses + 1).fill(clause) }, '', 'too_many_clauses'],
    ['too much text', { all: [{ ...clause, value: 'x'.repeat(limits.size) }] }, '', 'too_large'],
  ])('refuses %s with its place and code', (_, conditions, pointer, code) => {
    expect(validateConditions(conditions)).toEqual({
      problems: [expect.objectContaining({ pointer, code })],
    })
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

describe('shorthandConditions', () => {
  it('asks for equality of all that is not *', () => {
    expect(shorthandConditions({ severity: 'HIGH', source: '*', name: 'timeout' })).toEqual({
      conditions: {
        all: [
          { fact: 'severity', operator: 'equal', value: 'HIGH' },
          { fact: 'name', operator: 'equal', value: 'timeout' },
        ],
      },
    })
  })

  it('refuses a rule that would match every alert', () => {
    expect(shorthandConditions({ severity: '*', source: '*', name: '*' })).toHaveProperty('problems')
  })
})
