import fc from 'fast-check'
import { describe, expect, it, onTestFinished } from 'vitest'
import { type Alert, type Crowd, crowds } from '../../test/crowded-rules.ts'
import { compilePlainly } from '../../test/plain-matcher.ts'
import { watchNodes } from '../../test/watch-nodes.ts'
import type { Condition } from '../language.ts'
import { validateConditions } from '../validate-conditions.ts'
import { RuleIndex } from './rule-index.ts'
import { shows } from './sign.ts'

const deep = process.env.TOCSIN_TEST_DEEP === '1'
const nothing = { patterns: 0, held: 0, clauses: 0, facts: 0, fields: 0 }

interface PlainRule {
  readonly id: string
  readonly condition: Condition
  readonly holds: (alert: Alert) => boolean
}

const plainRules = (rules: readonly object[]): PlainRule[] =>
  rules.map((rule, number) => ({
    id: `r${number}`,
    condition: rule as Condition,
    holds: compilePlainly(rule as Condition),
  }))

const add = (index: RuleIndex, rules: readonly PlainRule[]) => {
  for (const { id, condition } of rules) index.add(id, condition)
}
const remove = (index: RuleIndex, rules: readonly PlainRule[]) => {
  for (const { id } of rules) index.remove(id)
}

/** Where the index finds other rules than those that hold when each is asked. */
interface Difference {
  readonly alert: Alert
  readonly found: readonly string[]
  readonly expected: readonly string[]
}

function differenceIn(index: RuleIndex, rules: readonly PlainRule[], alerts: readonly Alert[]): Difference | undefined {
  for (const alert of alerts) {
    const found = index.match(alert).sort()
    const expected = rules.flatMap(({ id, holds }) => (holds(alert) ? [id] : [])).sort()
    if (found.length !== expected.length || found.some((id, at) => id !== expected[at]))
      return { alert, found, expected }
  }
  return undefined
}

type Try = (rules: readonly PlainRule[], alerts: readonly Alert[]) => Difference | undefined

/**
 * No two crowds differ in a few rules only, so fast-check would take minutes to make one smaller. Here rules are left
 * out, many at once and then one by one, as long as there is a difference.
 */
function expectNoDifference({ rules, alerts }: Crowd, attempt: Try): void {
  let fewest: readonly object[] = rules
  let difference = attempt(plainRules(fewest), alerts)
  if (difference === undefined) return
  for (let size = rules.length >> 1; size >= 1; size >>= 1) {
    for (let at = 0; at < fewest.length; ) {
      const fewer = fewest.toSpliced(at, size)
      const still = attempt(plainRules(fewer), [difference.alert])
      if (still === undefined) at += size
      else [fewest, difference] = [fewer, still]
    }
  }
  expect.fail(JSON.stringify({ ...difference, rules: fewest }))
}

const added: Try = (rules, alerts) => {
  const index = new RuleIndex()
  add(index, rules)
  return differenceIn(index, rules, alerts)
}

/** One part of the rules after the other is away for a while, and finds on its return an index that others have left. */
const changed =
  (parts: number): Try =>
  (rules, alerts) => {
    const index = new RuleIndex()
    const part = (which: number) => rules.filter((_, number) => number % parts === which)
    add(index, rules)
    for (let away = 0; away < parts; away++) {
      remove(index, part(away))
      if (away > 0) add(index, part(away - 1))
      const there = rules.filter((_, number) => number % parts !== away)
      const difference = differenceIn(index, there, alerts)
      if (difference !== undefined) return difference
    }
    remove(index, rules)
    expect(index.extent).toEqual(nothing)
    return undefined
  }

const isWithoutClauses = (rule: object) => !JSON.stringify(rule).includes('operator')

function hasBothVerdicts(rule: object, alerts: readonly Alert[]): boolean {
  const holds = compilePlainly(rule as Condition)
  return new Set(alerts.map(holds)).size === 2
}

describe('many rules that ask much the same', () => {
  it('are found by whatever leads to them', { timeout: 600_000 }, () => {
    const watched = watchNodes()
    onTestFinished(() => watched.stop())
    const property = fc.property(crowds({ rules: 300, alerts: 40 }), crowd => expectNoDifference(crowd, added))
    const kinds = Object.keys(shows)
    fc.assert(property, { numRuns: deep ? 5_000 : 150, endOnFailure: true })
    // The rarest kinds come once in 50 runs.
    for (let more = 0; more < 10 && watched.kinds.size < kinds.length; more++) {
      fc.assert(property, { numRuns: 50, endOnFailure: true })
    }
    expect([...watched.kinds].sort()).toEqual(kinds.sort())
    expect(watched.deepest).toBeGreaterThanOrEqual(2)
  })

  it('are found while rules come and go', { timeout: 600_000 }, () => {
    fc.assert(
      fc.property(crowds({ rules: 300, alerts: 8 }), fc.integer({ min: 2, max: 8 }), (crowd, parts) =>
        expectNoDifference(crowd, changed(parts)),
      ),
      { numRuns: deep ? 3_000 : 80, endOnFailure: true },
    )
  })

  it('have passed validation, hardly ever ask nothing, and often hold for some alerts and not for others', () => {
    const counts = { rules: 0, withoutClauses: 0, withBothVerdicts: 0 }
    fc.assert(
      fc.property(crowds({ rules: 60, alerts: 40 }), ({ rules, alerts }) => {
        for (const rule of rules) expect(validateConditions(rule)).toHaveProperty('conditions', rule)
        counts.rules += rules.length
        counts.withoutClauses += rules.filter(isWithoutClauses).length
        counts.withBothVerdicts += rules.filter(rule => hasBothVerdicts(rule, alerts)).length
      }),
      { numRuns: 100, endOnFailure: true },
    )
    expect(counts.withoutClauses).toBeLessThan(counts.rules * 0.02)
    expect(counts.withBothVerdicts).toBeGreaterThan(counts.rules * 0.33)
  })
})
