import { RuleIndex } from './index/rule-index.ts'
import type { Condition } from './language.ts'

export interface MatcherRule {
  id: string
  conditions: object
}

export interface Matcher {
  /** Adds a rule, or replaces the one with the same id. The conditions have passed `validateConditions`. */
  add(rule: MatcherRule): void
  remove(id: string): void
  /** The ids of the rules that hold for this alert, each once, in no particular order. Never throws. */
  match(alert: object): string[]
  readonly size: number
}

/** Rules are found by what an alert shows, and only those found are asked: docs/decisions/009-how-rules-are-indexed.md. */
export function createMatcher(): Matcher {
  const index = new RuleIndex()
  return {
    add: ({ id, conditions }) => index.add(id, conditions as Condition),
    remove: id => index.remove(id),
    match: alert => index.match(alert),
    get size() {
      return index.size
    },
  }
}
