import type { Problem } from '@tocsin/contracts/errors'
import { RuleIndex } from './index/rule-index.ts'
import type { Conditions } from './language.ts'
import { validateConditions } from './validate-conditions.ts'

export interface MatcherRule {
  id: string
  conditions: object
}

export interface Matcher {
  /** Adds a rule, or replaces the one with the same id. Throws `InvalidConditions`, and then nothing has changed. */
  add(rule: MatcherRule): void
  remove(id: string): void
  /**
   * The ids of the rules that hold for this alert, each once, in no particular order. Never throws. An alert is what
   * `JSON.parse` gives: what lists with holes, bigints, boxed values or getters come to is not defined.
   */
  match(alert: object): string[]
  readonly size: number
}

export interface MatcherOptions {
  /** True where all conditions have passed `validateConditions` before; to do it again would triple what `add` costs. */
  validated?: boolean
}

export class InvalidConditions extends Error {
  override readonly name = 'InvalidConditions'
  readonly problems: readonly Problem[]
  constructor(id: string, problems: readonly Problem[]) {
    const [first] = problems
    super(`the conditions of ${id} cannot be used: ${first?.pointer || '/'} ${first?.message}`)
    this.problems = problems
  }
}

/** Rules are found by what an alert shows, and only those found are asked: docs/decisions/009-how-rules-are-indexed.md. */
export function createMatcher({ validated = false }: MatcherOptions = {}): Matcher {
  const index = new RuleIndex()
  return {
    add: ({ id, conditions }) => index.add(id, validated ? (conditions as Conditions) : checked(id, conditions)),
    remove: id => index.remove(id),
    match: alert => index.match(alert),
    get size() {
      return index.size
    },
  }
}

function checked(id: string, conditions: object): Conditions {
  const result = validateConditions(conditions)
  if ('problems' in result) throw new InvalidConditions(id, result.problems)
  return result.conditions
}
