import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { conditions } from '../test/conditions.ts'
import { conditionsSchema, createJsonSchema } from './json-schema.ts'
import { limits } from './language.ts'
import { operatorNames } from './operators.ts'
import { validateConditions } from './validate-conditions.ts'

const schema = createJsonSchema()
/** The schema read back as an editor would read it. */
const readBack = z.fromJSONSchema(schema as never)

const about = (operator: unknown, value: unknown, more = {}) => ({ all: [{ fact: 'name', operator, value, ...more }] })
const used = { field: 'used', operator: 'greaterThan', value: 90 }

const shapes: [string, unknown][] = [
  ['a clause', about('equal', 1)],
  ['a bare clause', about('equal', 1).all[0]],
  ['nothing', null],
  ['an array', []],
  ['nested', { any: [{ not: about('equal', 1) }, { all: [] }] }],
  ['two groups', { any: [], all: [] }],
  ['a list in not', { not: [] }],
  ['a group in no list', { all: about('equal', 1) }],
  ['no fact', { all: [{ operator: 'equal', value: 1 }] }],
  ['an empty fact', about('equal', 1, { fact: '' })],
  ['no operator', { all: [{ fact: 'name', value: 1 }] }],
  ['no value', { all: [{ fact: 'name', operator: 'equal' }] }],
  ['null as value', about('equal', null)],
  ['a fact as value', about('equal', { fact: 'a' })],
  ['an object as value', about('equal', { x: 1 })],
  ['unknown members', about('equal', 1, { comment: 'x' })],
  ['names', { name: 'n', all: [{ ...about('equal', 1).all[0], name: 'm' }] }],
  ['params', about('equal', 1, { params: {} })],
  ['a priority', { all: [], priority: 1 }],
  ['a priority of a clause', about('equal', 1, { priority: 1 })],
  ['a shared condition', { condition: 'x' }],
  ['a group that has a clause', { all: [{ any: [], fact: 'x', operator: 'equal', value: 1 }], operator: 'and' }],
  [
    'a group with a wrong clause',
    { all: [{ not: { all: [] }, fact: 1, operator: 'x', value: { fact: 'a' }, path: 1 }] },
  ],
  ['a clause with a field', about('equal', 1, { field: 'x' })],
  ['an element with a fact', about('element', { all: [used], fact: 'a' })],
  ['a fact in a group of an element', about('element', { all: [{ any: [{ ...used, fact: 'a' }], fact: 'a' }] })],
  ['an unknown operator', about('equals', 1)],
  ['an operator that is no string', about(1, 1)],
  ['a path', about('equal', 1, { path: "$.a['b c'][0]" })],
  ['no path', about('equal', 1, { path: null })],
  ['a path from nowhere', about('equal', 1, { path: 'a' })],
  ['a path to many', about('equal', 1, { path: '$..a' })],
  ['in', about('in', [1, 'a', null])],
  ['in of a text', about('in', 'abc')],
  ['a text', about('startsWith', 'a')],
  ['no text', about('wildcard', 1)],
  ['exists', about('exists', true)],
  ['exists of a number', about('exists', 1)],
  ['bounds', about('between', [1, 2])],
  ['one bound', about('between', [1])],
  ['three bounds', about('between', [1, 2, 3])],
  ['bounds of text', about('between', ['a', 'b'])],
  ['a network', about('cidr', '::/0')],
  ['networks', about('cidr', ['::/0'])],
  ['a network that is a number', about('cidr', 4)],
  ['an element', about('element', { all: [used, { any: [{ not: used }] }] })],
  ['an element of an element', about('element', { not: { field: 'x', operator: 'element', value: { all: [used] } } })],
  ['an element that is a clause', about('element', used)],
  ['a fact in an element', about('element', about('equal', 1))],
  ['a field outside of an element', { all: [used] }],
  ['decorators', about('not:someFact:everyFact:not:startsWith', 'a')],
  ['decorators with the wrong value', about('not:startsWith', 1)],
  ['too many decorators', about(`${'not:'.repeat(limits.decorators + 1)}equal`, 1)],
  ['a decorator alone', about('not:', 1)],
  ['an unknown decorator', about('none:equal', 1)],
  ['a walk', about('not:someValue:in', [[1], [2]])],
  ['a walk over nothing', about('everyValue:equal', 'a')],
  ['a walk that is too long', about('someValue:equal', Array(limits.walkedListLength + 1).fill(1))],
  ['a swap', about('swap:in', 'a')],
  ['a swap of a pattern', about('swap:wildcard', 'a')],
  ['a swap back', about('swap:swap:wildcard', 'a')],
]

describe('the JSON Schema', () => {
  it.each(shapes)('judges %s as validation does', (_, shape) => {
    const accepted = 'conditions' in validateConditions(shape)
    expect({ zod: conditionsSchema.safeParse(shape).success, json: readBack.safeParse(shape).success }).toEqual({
      zod: accepted,
      json: accepted,
    })
  })

  it('accepts every generated rule', () => {
    fc.assert(
      fc.property(conditions, rule => {
        expect(conditionsSchema.safeParse(rule).success).toBe(true)
        // Read back, the limits of lists are zod's own, which throw on an object whose length cannot be compared.
        fc.pre(!/"length":[[{]/.test(JSON.stringify(rule)))
        expect(readBack.safeParse(rule).success).toBe(true)
      }),
    )
  })

  it('names every operator, says which draft it is of, and is kept for editors in docs/rules.schema.json', async () => {
    const text = `${JSON.stringify(schema, null, 2)}\n`
    for (const name of operatorNames) expect(text).toContain(`"${name}"`)
    expect(schema).toHaveProperty('$schema', 'https://json-schema.org/draft/2020-12/schema')
    await expect(text).toMatchFileSnapshot('../../../docs/rules.schema.json')
  })
})
