import fc from 'fast-check'
import { describe, expect, it, onTestFinished } from 'vitest'
import { alerts, conditions } from '../../test/conditions.ts'
import { compilePlainly } from '../../test/plain-matcher.ts'
import { singleKinds } from '../../test/single-kinds.ts'
import type { Condition } from '../language.ts'
import { Buckets } from './buckets.ts'
import { Clauses } from './clauses.ts'
import type { Field } from './field.ts'
import { Node } from './node.ts'
import { normalParts } from './normal-form.ts'
import { signsOfPattern } from './pattern-signs.ts'
import { Patterns } from './patterns.ts'
import { RuleIndex } from './rule-index.ts'
import { Search } from './search.ts'

const deep = process.env.TOCSIN_TEST_DEEP === '1'
const nothing = { patterns: 0, held: 0, clauses: 0, facts: 0, fields: 0 }

type Change = { id: string; conditions: object | undefined }

/** How often clauses are asked, whoever asks them; seen from outside, so that matching itself counts nothing. */
function countAskings(): { count: number } {
  const asked = { count: 0 }
  const { holds, partHolds } = Clauses.prototype
  onTestFinished(() => void Object.assign(Clauses.prototype, { holds, partHolds }))
  Clauses.prototype.holds = function (clause) {
    asked.count++
    return holds.call(this, clause)
  }
  // One that says all of its clause is not asked by `holds`.
  Clauses.prototype.partHolds = function (part) {
    if (this.clauseOf(part) !== part) asked.count++
    return partHolds.call(this, part)
  }
  return asked
}

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

  it('takes 0 and -0 for the same', () => {
    const index = new RuleIndex()
    for (const [id, value] of Object.entries({ r: 0, minus: -0 }))
      index.add(id, { all: [{ fact: 'name', operator: 'equal', value }] })
    expect(index.extent).toEqual({ patterns: 1, held: 1, clauses: 1, facts: 1, fields: 1 })
    expect([index.match({ name: 0 }), index.match({ name: -0 })]).toEqual([
      ['r', 'minus'],
      ['r', 'minus'],
    ])
    for (const id of ['r', 'minus']) index.remove(id)
    expect(index.extent).toEqual(nothing)
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
    const asked = countAskings()
    expect(index.match({ severity: 'HIGH', source: 'db' })).toHaveLength(1_000)
    expect(asked.count).toBe(clauses.length)
    for (let team = 0; team < 1_000; team++) index.remove(`r${team}`)
    expect(index.extent).toEqual(nothing)
  })
})

describe('conditions within conditions', () => {
  // Few facts and values: what many rules share gets nodes, and nodes in nodes.
  const clause = fc.record({
    fact: fc.constantFrom('a', 'b', 'c', 'd'),
    operator: fc.constant('equal'),
    value: fc.constantFrom(0, 1, 2),
  })
  const { condition } = fc.letrec<{ condition: object }>(tie => {
    const several = fc.array(tie('condition'), { minLength: 2, maxLength: 3 })
    const groups = [several.map(all => ({ all })), several.map(any => ({ any }))]
    return { condition: fc.oneof({ maxDepth: 3, depthSize: 'medium' }, clause, ...groups) }
  })
  const value = fc.integer({ min: 0, max: 2 })
  const alert = fc.record({ a: value, b: value, c: value, d: value })

  it('are found in whatever way they hold', { timeout: 600_000 }, () => {
    fc.assert(
      fc.property(
        fc.array(condition, { minLength: 40, maxLength: 120, size: 'max' }),
        fc.array(alert, { minLength: 10, size: 'max', maxLength: 20 }),
        (rules, alerts) => {
          const index = new RuleIndex()
          const all = rules.map(rule => ({ all: [rule] }) as Condition)
          for (const [number, rule] of all.entries()) index.add(`r${number}`, rule)
          const plain = all.map(compilePlainly)
          for (const one of alerts) {
            const expected = plain.flatMap((holds, number) => (holds(one) ? [`r${number}`] : []))
            expect(index.match(one).sort()).toEqual(expected.sort())
          }
          for (const number of all.keys()) index.remove(`r${number}`)
          expect(index.extent).toEqual(nothing)
        },
      ),
      { numRuns: deep ? 2_000 : 60 },
    )
  })
})

describe('what grows', () => {
  it('a rule with three lists is held once for each value of one of them, not for each combination', () => {
    const index = new RuleIndex()
    const values = (name: string, count: number) => Array.from({ length: count }, (_, number) => `${name}${number}`)
    const lists = (team: number) =>
      ['a', 'b', 'c'].map(fact => ({ fact, operator: 'in', value: [...values(fact, 1_000), `x${team}`] }))
    const started = performance.now()
    for (let team = 0; team < 40; team++) index.add(`r${team}`, { all: lists(team) })
    expect(index.match({ a: 'a7', b: 'b8', c: 'x9' })).toEqual(['r9'])
    for (let team = 0; team < 40; team++) index.remove(`r${team}`)
    // 0.3 s; it was a minute when each list was looked up behind each value of another.
    expect(performance.now() - started).toBeLessThan(5_000)
    expect(index.extent).toEqual(nothing)
  })

  it('an alert with fields that thousands of rules name is looked at by its own fields', () => {
    const index = new RuleIndex()
    for (let team = 0; team < 5_000; team++) {
      index.add(`r${team}`, { all: [{ fact: 'context', path: `$.of_team_${team}`, operator: 'equal', value: team }] })
    }
    index.add('absent', { all: [{ fact: 'context', path: '$.of_team_7', operator: 'exists', value: false }] })
    index.add('all', { all: [{ fact: 'context', path: '$.any', operator: 'equal', value: 'scalar' }] })
    expect(index.match({ context: { of_team_7: 7, of_team_8: 7 } })).toEqual(['r7'])
    expect(index.match({ context: { of_team_8: 8, other: 1 } }).sort()).toEqual(['absent', 'r8'])
    expect(index.match({ context: 'scalar' })).toEqual(['all'])
  })
})

describe('the numbers of alerts', () => {
  it.each([3, 2, 1, 0])('may begin again, %i alerts from now, and no verdict of long ago comes back', left => {
    const patterns = new Patterns()
    const search = new Search(patterns)
    const node = new Node(new Buckets(patterns))
    const element = { all: [{ field: 'n', operator: 'greaterThan', value: 1 }] }
    const condition = { any: [clauseOf('source', 'wildcard', 'a*b*'), clauseOf('list', 'element', element)] }
    const { pattern } = patterns.share(normalParts(condition))
    node.add(pattern, signsOfPattern(patterns, pattern))
    const holds = (alert: object) => {
      search.run(node, alert)
      return search.count === 1
    }
    const [yes, no, another] = [{ source: 'a-b-' }, { list: [{ n: 0 }] }, { list: [{ n: 2 }] }]
    expect([yes, another, no].map(holds)).toEqual([true, true, false])
    const fields = patterns
      .partsOf(pattern)
      .flatMap(part => patterns.group(part).parts)
      .map(part => patterns.clauses.field(patterns.clauses.clauseOf(part)))
    const { members } = fields.find(isList) as Field
    patterns.scope.epoch = 2 ** 30 - left
    ;(members as Patterns).scope.epoch = 2 ** 30 - left
    // In another order, so that a number that comes back meets another alert than before.
    for (let round = 0; round < 4; round++) expect([no, another, yes].map(holds)).toEqual([false, true, true])
  })
})

const clauseOf = (fact: string, operator: string, value: unknown) => ({ fact, operator, value })
const isList = (field: Field) => field.name === 'list'

describe('rules of one kind only', { timeout: 60_000 }, () => {
  const rulesOfAKind = 3_000

  it.each(Object.entries(singleKinds))('%s: the few that may hold are asked, not all', (_, { rule, alert }) => {
    const index = new RuleIndex()
    const plain: { name: string; holds: (alert: Record<string, unknown>) => boolean }[] = []
    for (let number = 0; number < rulesOfAKind; number++) {
      const condition = rule(number) as Condition
      index.add(`r${number}`, condition)
      plain.push({ name: `r${number}`, holds: compilePlainly(condition) })
    }
    const asked = countAskings()
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
    expect(asked.count).toBeLessThan(4 * (rulesOfAKind / 100))
    for (const { name } of plain) index.remove(name)
    expect(index.extent).toEqual(nothing)
  })
})
