import { askEngine, createJudge } from './engine.ts'
import { groupOf } from './group.ts'
import type { Clause, Condition, Conditions } from './language.ts'
import { compileOperator } from './operators.ts'
import { parsePath, readPath } from './path.ts'

/** What came of a rule for one alert, clause by clause. The form is that of the conditions. */
export interface Explanation {
  matched: boolean
  conditions: ExplainedGroup
}

export type ExplainedCondition = ExplainedGroup | ExplainedClause
export type ExplainedGroup = { holds: boolean; name?: string } & (
  | { all: ExplainedCondition[] }
  | { any: ExplainedCondition[] }
  | { not: ExplainedCondition }
)

export interface ExplainedClause {
  holds: boolean
  fact: string
  path?: string
  operator: string
  value: unknown
  name?: string
  /** What stands in the alert at this place; left out if there is nothing. */
  found?: unknown
  missing: boolean
  /** For `element`: the indexes of the elements that meet the conditions. */
  elements?: number[]
  /** Why a clause is false that could not be asked of this value. */
  why?: string
}

/** A condition as json-rules-engine hands it back: its `result` is missing at the top only. */
type Result = Record<string, unknown> & { result?: boolean; factResult?: unknown; valueResult?: unknown }

/** The engine's own resolver keeps every path that it has ever read, and here they come from whoever writes rules. */
function pathResolver(fact: object, path: string): unknown {
  const parsed = parsePath(path)
  return 'problem' in parsed ? undefined : readPath(fact, parsed.steps)
}

/** Explains a rule, whose conditions have passed validation, through json-rules-engine's own results. */
export async function explain(rule: { conditions: Conditions }, alert: object): Promise<Explanation> {
  const [result] = await createJudge([{ id: '', conditions: rule.conditions }], { pathResolver }).results(alert)
  if (result === undefined) throw new Error('json-rules-engine gave no result for a rule')
  const matched = result.result === true
  const top = { ...(result.conditions as unknown as Result), result: matched }
  return { matched, conditions: explainCondition(rule.conditions, top) as ExplainedGroup }
}

/** The condition as it was written gives the names, the engine's copy of it the results. */
function explainCondition(condition: Condition, result: Result): ExplainedCondition {
  const holds = result.result === true
  const name = Object.hasOwn(condition, 'name') ? { name: (condition as { name: string }).name } : {}
  const group = groupOf(condition)
  if (group !== undefined) {
    const results = group.name === 'not' ? [result.not] : (result[group.name] as unknown[])
    const parts = group.parts.map((part, at) => explainCondition(part, results[at] as Result))
    return { [group.name]: group.name === 'not' ? parts[0] : parts, holds, ...name } as ExplainedGroup
  }
  const { fact, path, operator, value } = condition as Clause
  const found = result.factResult
  return {
    fact,
    ...(path === undefined ? {} : { path }),
    operator,
    value,
    ...name,
    holds,
    ...(found === undefined ? { missing: true } : { missing: false, found }),
    ...(operator === 'element' && Array.isArray(found) ? { elements: meeting(value, found) } : {}),
    ...whyNot(operator, result.valueResult, found),
  }
}

function meeting(nested: unknown, found: unknown[]): number[] {
  const holds = compileOperator('element', nested)
  return found.flatMap((member, index) => (holds([member]) ? [index] : []))
}

/** Asks once more, to hear what the engine throws. */
function whyNot(operator: string, value: unknown, found: unknown): { why?: string } {
  try {
    askEngine(operator, found, value)
    return {}
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    return { why: `the clause cannot be asked of this value, so it is false: ${message}` }
  }
}
