import type { Condition, ElementCondition } from '../language.ts'
import { splitOperator } from '../operators.ts'
import { parsePath } from '../path.ts'
import type { ClauseText } from './clauses.ts'

/** A condition without `not`: that stands in the clauses. */
export type NormalPart = ClauseText | NormalGroup
export interface NormalGroup {
  readonly isAny: boolean
  readonly parts: readonly NormalPart[]
}

type Node = Condition | ElementCondition

export const isGroup = (part: NormalPart): part is NormalGroup => 'parts' in part

/** The parts that must all hold. Throws, before anything is changed, on what validation would not have let through. */
export function normalParts(condition: Node): readonly NormalPart[] {
  const part = normalise(condition, false)
  return isGroup(part) && !part.isAny ? part.parts : [part]
}

function normalise(node: Node, isNegated: boolean): NormalPart {
  const { any, all, not } = groupsOf(node)
  if (any !== undefined) {
    // The engine says that an `any` of nothing holds; as an `all` of nothing it does.
    const isAny = any.length > 0
    return group(isAny !== isNegated, any, isNegated)
  }
  if (all !== undefined) return group(isNegated, all, isNegated)
  if (not !== undefined) return normalise(not, !isNegated)
  return clause(node as Extract<Node, { operator: string }>, isNegated)
}

function groupsOf(node: Node): { any?: Node[]; all?: Node[]; not?: Node } {
  return Object.hasOwn(node, 'operator') ? {} : (node as { any?: Node[]; all?: Node[]; not?: Node })
}

function group(isAny: boolean, nodes: readonly Node[], isNegated: boolean): NormalPart {
  const parts: NormalPart[] = []
  for (const node of nodes) {
    const part = normalise(node, isNegated)
    // All in all and any in any are one; so are those of a single part.
    if (isGroup(part) && part.isAny === isAny) parts.push(...part.parts)
    else parts.push(part)
  }
  return parts.length === 1 ? (parts[0] as NormalPart) : { isAny, parts }
}

/** Operators of which one holds exactly when the other does not. */
const opposites: ReadonlyMap<string, string> = new Map([
  ['equal', 'notEqual'],
  ['notEqual', 'equal'],
  ['in', 'notIn'],
  ['notIn', 'in'],
])

function clause(node: Extract<Node, { operator: string }>, isNegated: boolean): ClauseText {
  const { operator, value } = node
  const fact = 'field' in node ? node.field : node.fact
  const parsed = parsePath(node.path ?? '$')
  if (splitOperator(operator) === undefined || 'problem' in parsed) {
    throw new Error(`not a validated clause: ${operator} ${node.path}`)
  }
  const { steps } = parsed
  const inner = undefined
  const opposite = isNegated ? opposites.get(operator) : undefined
  // Neither of `in` and `notIn` holds of what is no list: the engine throws.
  if (opposite !== undefined && (operator === 'equal' || operator === 'notEqual' || Array.isArray(value))) {
    return { fact, steps, operator: opposite, value, isNegated: false, inner }
  }
  if (isNegated && operator === 'exists' && typeof value === 'boolean') {
    return { fact, steps, operator, value: !value, isNegated: false, inner }
  }
  if (operator !== 'element' || isNegated) return { fact, steps, operator, value, isNegated, inner }
  return { fact, steps, operator, value, isNegated, inner: normalParts(value as ElementCondition) }
}
