import { expect, it } from 'vitest'
import { forEventRuler } from './event-ruler-language.ts'
import { type BenchRule, type Condition, where } from './rule.ts'
import { rulesOf } from './rule-sets.ts'

const rule = (...all: Condition[]): BenchRule => ({ id: 'r', conditions: { all } })

it.each<[string, Condition[], object]>([
  ['equal', [where('severity', 'equal', 'HIGH')], { severity: ['HIGH'] }],
  ['in', [where('severity', 'in', ['HIGH', 'LOW'])], { severity: ['HIGH', 'LOW'] }],
  ['contains', [where('context.tags', 'contains', 'prod')], { context: { tags: ['prod'] } }],
  ['notEqual', [where('name', 'notEqual', 'cpu')], { name: [{ 'anything-but': 'cpu' }] }],
  ['not in', [{ not: where('name', 'in', ['cpu']) }], { name: [{ 'anything-but': ['cpu'] }] }],
  ['between', [where('context.n', 'between', [1, 2])], { context: { n: [{ numeric: ['>=', 1, '<=', 2] }] } }],
  [
    'two bounds on one field',
    [where('context.n', 'lessThan', 9), where('context.n', 'greaterThan', 1)],
    { context: { n: [{ numeric: ['>', 1, '<', 9] }] } },
  ],
  [
    'any',
    [
      where('name', 'equal', 'cpu'),
      { any: [where('source', 'equal', 'a'), { all: [where('context.n', 'equal', 1)] }] },
    ],
    { name: ['cpu'], $or: [{ source: ['a'] }, { context: { n: [1] } }] },
  ],
])('%s has its equivalent', (_, all, pattern) => {
  expect(forEventRuler(rule(...all))).toEqual(pattern)
})

it.each<[string, Condition[]]>([
  ['a regular expression', [where('name', 'matches', 'c.*')]],
  ['the opposite of a prefix', [{ not: where('name', 'startsWith', 'c') }]],
  ['two clauses on one field that are no bounds', [where('name', 'startsWith', 'c'), where('name', 'endsWith', 'u')]],
  ['two any', [{ any: [] }, { any: [] }]],
])('%s has none', (_, all) => {
  expect(forEventRuler(rule(...all))).toBeUndefined()
})

it('can say every rule of the mixed set', () => {
  for (const mixed of rulesOf('mixed', 2_000)) expect(forEventRuler(mixed), JSON.stringify(mixed)).toBeDefined()
})
