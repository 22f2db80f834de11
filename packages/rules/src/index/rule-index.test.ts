import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { alerts, conditions } from '../../test/conditions.ts'
import { compilePlainly } from '../../test/plain-matcher.ts'
import { singleKinds } from '../../test/single-kinds.ts'
import type { Condition } from '../language.ts'
import { RuleIndex } from './rule-index.ts'

const deep = process.env.TOCSIN_TEST_DEEP === '1'
const nothing = { patterns: 0, held: 0, clauses: 0, facts: 0, fields: 0 }

type Change = { id: string; conditions: object | undefined }

const id = fc.nat({ max: 60 }).map(number => `r${number}`)
const change: fc.Arbitrary<Change> = fc.record({
  id,
  conditions: fc.oneof({ weight: 3, arbitrary: conditions }, { weight: 2, arbitrary: fc.constant(undefined) }),
})

function apply(index: RuleIndex, { id: rule, conditions: condition }: Change): void {
  if (condition === undefined) index.remove(rule)
  else index.add(rule, condition as Condition)
}

describe('adding and removing', () => {
  it('comes to the same as building anew, and to nothing when all is removed', { timeout: 600_000 }, () => {
    fc.assert(
      fc.property(
        fc.array(change, { maxLength: 400, size: 'max' }),
        fc.array(alerts, { minLength: 20, maxLength: 20 }),
        (changes, many) => {
          const index = new RuleIndex()
          const rules = new Map<string, object>()
          for (const one of changes) {
            apply(index, one)
            if (one.conditions === undefined) rules.delete(one.id)
            else rules.set(one.id, one.conditions)
          }
          const fresh = new RuleIndex()
          for (const [rule, condition] of rules) fresh.add(rule, condition as Condition)
          expect(index.size).toBe(rules.size)
          expect({ ...index.extent, fields: 0 }).toEqual({ ...fresh.extent, fields: 0 })
          for (const alert of many) expect(index.match(alert).sort()).toEqual(fresh.match(alert).sort())
          for (const rule of rules.keys()) index.remove(rule)
          expect(index.extent).toEqual(nothing)
        },
      ),
      { numRuns: deep ? 3_000 : 60 },
    )
  })

  it('replaces a rule with the same id', () => {
    const index = new RuleIndex()
    const equals = (value: string) => ({ all: [{ fact: 'name', operator: 'equal', value }] })
    index.add('r', equals('a'))
    index.add('r', equals('b'))
    expect([index.size, index.match({ name: 'a' }), index.match({ name: 'b' })]).toEqual([1, [], ['r']])
    index.remove('r')
    index.remove('r')
    expect([index.size, index.extent]).toEqual([0, nothing])
  })

  it('keeps once what a thousand teams ask alike, in whatever order they write it', () => {
    const index = new RuleIndex()
    const clauses = [
      { fact: 'severity', operator: 'equal', value: 'HIGH' },
      { fact: 'source', operator: 'in', value: ['api', 'db'] },
    ]
    for (let team = 0; team < 1_000; team++)
      index.add(`r${team}`, { all: team % 2 === 0 ? clauses : clauses.toReversed() })
    expect(index.extent).toEqual({ patterns: 1, held: 1, clauses: 2, facts: 2, fields: 1 })
    expect(index.match({ severity: 'HIGH', source: 'db' })).toHaveLength(1_000)
    expect(index.asked).toBe(1)
    for (let team = 0; team < 1_000; team++) index.remove(`r${team}`)
    expect(index.extent).toEqual(nothing)
  })
})

describe('rules of one kind only', () => {
  const rulesOfAKind = 3_000

  it.each(Object.entries(singleKinds))('%s: the few that may hold are asked, not all', (_, { rule, alert }) => {
    const index = new RuleIndex()
    const plain: { name: string; holds: (alert: Record<string, unknown>) => boolean }[] = []
    for (let number = 0; number < rulesOfAKind; number++) {
      const condition = rule(number) as Condition
      index.add(`r${number}`, condition)
      plain.push({ name: `r${number}`, holds: compilePlainly(condition) })
    }
    let matched = 0
    for (const number of [0, 7, 512, rulesOfAKind - 1]) {
      const one = JSON.parse(JSON.stringify(alert(number)))
      const found = index.match(one)
      matched += found.length
      expect(found.sort()).toEqual(
        plain
          .filter(({ holds }) => holds(one))
          .map(({ name }) => name)
          .sort(),
      )
    }
    expect(matched).toBeGreaterThan(0)
    expect(index.asked).toBeLessThan(4 * (rulesOfAKind / 100))
    for (const { name } of plain) index.remove(name)
    expect(index.extent).toEqual(nothing)
  })
})
