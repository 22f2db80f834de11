import { askEngine, createJudge } from './engine.ts'
import { groupOf } from './group.ts'
import type {
  Clause,
  Condition,
  Conditions,
  ElementClause,
  ElementCondition,
  ElementConditions,
  Place,
} from './language.ts'
import { meetingElements, nearestElement } from './nearest-element.ts'
import { splitOperator } from './operators.ts'
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
  /** What it asks about; inside `element` it is a `field` instead. */
  fact?: string
  field?: string
  path?: string
  operator: string
  value: unknown
  name?: string
  /** What stands in the alert at this place; left out if there is nothing. */
  found?: unknown
  missing: boolean
  /** For `element` and `not:element`: the indexes of the elements that meet the conditions, 100 at most. */
  elements?: number[]
  /**
   * For those too: what came of the conditions for one element. It is the first that meets them; when none does, it is the
   * one, of the first 1,000, that meets most clauses, where a clause behind `not` is met when it does not hold. Left out
   * if no element is an object.
   */
  nearest?: { index: number; conditions: ExplainedGroup }
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
  const conditions = await explainConditions(rule.conditions, 'fact', alert)
  return { matched: conditions.holds, conditions }
}

/** `subject` is what the conditions are about: the alert, or one element of a list in it. */
async function explainConditions(conditions: Conditions | ElementConditions, place: Place, subject: object) {
  const [result] = await createJudge([{ id: '', conditions, place }], { pathResolver }).results(subject)
  if (result === undefined) throw new Error('json-rules-engine gave no result for a rule')
  const top = { ...(result.conditions as unknown as Result), result: result.result === true }
  return (await explainCondition(conditions, place, top)) as ExplainedGroup
}

/** The condition as it was written gives the names, the engine's copy of it the results. */
async function explainCondition(
  condition: Condition | ElementCondition,
  place: Place,
  result: Result,
): Promise<ExplainedCondition> {
  const holds = result.result === true
  const name = Object.hasOwn(condition, 'name') ? { name: (condition as { name: string }).name } : {}
  const group = groupOf(condition)
  if (group !== undefined) {
    const results = group.name === 'not' ? [result.not] : (result[group.name] as unknown[])
    const parts = group.parts.map((part, at) => explainCondition(part, place, results[at] as Result))
    const explained = await Promise.all(parts)
    return { [group.name]: group.name === 'not' ? explained[0] : explained, holds, ...name } as ExplainedGroup
  }
  const { [place]: about, path, operator, value } = condition as Clause & ElementClause
  const found = result.factResult
  return {
    [place]: about,
    ...(path === undefined ? {} : { path }),
    operator,
    value,
    ...name,
    holds,
    ...(found === undefined ? { missing: true } : { missing: false, found }),
    ...(asksOfElements(operator) && Array.isArray(found) ? await explainElements(value, found) : {}),
    ...whyNot(operator, result.valueResult, found),
  }
}

/** Behind a decorator that walks, there are several lists or several conditions, and none of them stands out. */
function asksOfElements(operator: string): boolean {
  const asked = splitOperator(operator)
  return asked?.base === 'element' && asked.decorators.every(name => name === 'not')
}

/** One element at each `element`, so that there are never more verdicts than the rule has clauses. */
async function explainElements(
  value: unknown,
  found: unknown[],
): Promise<Pick<ExplainedClause, 'elements' | 'nearest'>> {
  const conditions = value as ElementConditions
  const elements = meetingElements(conditions, found)
  const index = elements[0] ?? nearestElement(conditions, found)
  if (index === undefined) return { elements }
  return {
    elements,
    nearest: { index, conditions: await explainConditions(conditions, 'field', found[index] as object) },
  }
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
