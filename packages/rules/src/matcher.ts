import type { Condition } from './language.ts'
import { compileOperator } from './operators.ts'
import { parsePath, readPath } from './path.ts'

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

type Check = (alert: Record<string, unknown>) => boolean

/** Every rule, compiled once into closures over its steps and operators, is asked for every alert. */
export function createMatcher(): Matcher {
  const checks = new Map<string, Check>()
  return {
    add: ({ id, conditions }) => void checks.set(id, compile(conditions as Condition)),
    remove: id => void checks.delete(id),
    match(alert) {
      const matched: string[] = []
      for (const [id, holds] of checks) if (holds(alert as Record<string, unknown>)) matched.push(id)
      return matched
    },
    get size() {
      return checks.size
    },
  }
}

function compile(condition: Condition): Check {
  if ('all' in condition) {
    const inner = condition.all.map(compile)
    return alert => inner.every(holds => holds(alert))
  }
  if ('any' in condition) {
    const inner = condition.any.map(compile)
    // The engine says that an empty `any` holds.
    return alert => inner.length === 0 || inner.some(holds => holds(alert))
  }
  if ('not' in condition) {
    const inner = compile(condition.not)
    return alert => !inner(alert)
  }
  return compileClause(condition)
}

function compileClause({ fact, operator, value, path }: Extract<Condition, { fact: string }>): Check {
  const holds = compileOperator(operator, value)
  const parsed = parsePath(path ?? '$')
  if ('problem' in parsed) throw new Error(`not a validated path: ${path}`)
  const { steps } = parsed
  return alert => holds(Object.hasOwn(alert, fact) ? readPath(alert[fact], steps) : undefined)
}
