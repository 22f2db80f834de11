import { expect } from 'vitest'
import { RuleIndex } from '../src/index/rule-index.ts'
import type { Condition } from '../src/language.ts'
import type { Alert, Crowd } from './crowded-rules.ts'
import { compilePlainly } from './plain-matcher.ts'

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

export type Try = (rules: readonly PlainRule[], alerts: readonly Alert[]) => Difference | undefined

/**
 * No two crowds differ in a few rules only, so fast-check would take minutes to make one smaller. Here rules are left
 * out, many at once and then one by one, as long as there is a difference.
 */
export function expectNoDifference({ rules, alerts }: Crowd, attempt: Try): void {
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

/** All rules are there from the beginning. */
export const added: Try = (rules, alerts) => {
  const index = new RuleIndex()
  add(index, rules)
  return differenceIn(index, rules, alerts)
}

/** One part of the rules after the other is away for a while, and finds on its return an index that others have left. */
export const changed =
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
