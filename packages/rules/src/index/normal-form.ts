import { groupOf } from '../group.ts'
import type { Condition, ElementClause, ElementCondition, Place, Clause as WrittenClause } from '../language.ts'
import { splitOperator } from '../operators.ts'
import { parsePath } from '../path.ts'
import { throwsAt } from './asked-signs.ts'
import { type ClauseText, hashClause } from './clauses.ts'
import { copyOf } from './hash.ts'

/** A condition without `not`: that stands in the clauses. */
export type NormalPart = ClauseText | NormalGroup
export interface NormalGroup {
  readonly isAny: boolean
  readonly parts: readonly NormalPart[]
}

type Node = Condition | ElementCondition

export const isGroup = (part: NormalPart): part is NormalGroup => 'parts' in part

/**
 * The parts that must all hold, of conditions about the alert's facts or about the fields of a member of a list. Throws,
 * before anything is changed, on what validation would not have let through.
 */
export function normalParts(condition: Node, place: Place = 'fact'): readonly NormalPart[] {
  const part = normalise(condition, place, false)
  return isGroup(part) && !part.isAny ? part.parts : [part]
}

function normalise(node: Node, place: Place, isNegated: boolean): NormalPart {
  const found = groupOf(node)
  if (found === undefined) return clause(node as WrittenClause | ElementClause, place, isNegated)
  const { name, parts } = found
  if (name === 'not') return normalise(parts[0] as Node, place, !isNegated)
  // The engine says that an `any` of nothing holds; as an `all` of nothing it does.
  const isAny = name === 'any' && parts.length > 0
  const normal = parts.map(part => normalise(part, place, isNegated))
  return group(isAny !== isNegated, normal)
}

function group(isAny: boolean, normal: readonly NormalPart[]): NormalPart {
  const parts: NormalPart[] = []
  for (const part of normal) {
    // All in all and any in any are one; so are those of a single part.
    if (isGroup(part) && part.isAny === isAny) for (const inner of part.parts) parts.push(inner)
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

const wholeFact = parsePath('$')

function clause(node: WrittenClause | ElementClause, place: Place, isNegated: boolean): ClauseText {
  const { operator, value } = node
  const asked = splitOperator(operator)
  // The other one has no effect.
  const fact = (node as Record<Place, string> & Node)[place]
  const parsed = node.path === undefined ? wholeFact : parsePath(node.path)
  if (asked === undefined || 'problem' in parsed) {
    throw new Error(`not a validated clause: ${operator} ${node.path}`)
  }
  if (asked.decorators[0] === 'not' && throwsAt(asked, value) === 'nothing') {
    return clause({ ...node, operator: operator.slice('not:'.length) }, place, !isNegated)
  }
  const { steps } = parsed
  const opposite = isNegated ? opposites.get(operator) : undefined
  // Neither of `in` and `notIn` holds of what is no list: the engine throws.
  if (opposite !== undefined && (operator === 'equal' || operator === 'notEqual' || Array.isArray(value))) {
    return clauseText({ fact, steps, operator: opposite, value, isNegated: false })
  }
  if (isNegated && operator === 'exists' && typeof value === 'boolean') {
    return clauseText({ fact, steps, operator, value: !value, isNegated: false })
  }
  const inner = operator === 'element' ? innerOf(value as ElementCondition, isNegated) : undefined
  return clauseText({ fact, steps, operator, value, isNegated }, inner)
}

/** With a value of its own: the rule's owner may go on changing it, or have a part of it in an alert as well. */
function clauseText(said: Omit<ClauseText, 'inner' | 'hash'>, inner?: readonly NormalPart[]): ClauseText {
  return { ...said, value: copyOf(said.value), inner, hash: hashClause(said) }
}

/**
 * That no member is not something is that all are, and so is the first. Where the rest of conditions on members is
 * turned round, nearly every member fulfils it, and there is nothing to look up.
 */
function innerOf(condition: ElementCondition, isNegated: boolean): readonly NormalPart[] | undefined {
  if (!isNegated) return normalParts(condition, 'field')
  const group = groupOf(condition)
  return group?.name === 'not' ? normalParts(group.parts[0] as ElementCondition, 'field') : undefined
}
