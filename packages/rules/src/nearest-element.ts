import { groupOf } from './group.ts'
import { isObject } from './json-kinds.ts'
import type { ElementCondition } from './language.ts'
import { compileOperator } from './operators.ts'

/** As many elements are named that meet the conditions, and ten times as many are compared when none does. */
export const mostElements = 100

/** The indexes of the elements that meet the conditions: the first ones. */
export function meetingElements(conditions: ElementCondition, list: readonly unknown[]): number[] {
  const holds = compileOperator('element', conditions)
  const found: number[] = []
  for (let at = 0; at < list.length && found.length < mostElements; at++) if (holds([list[at]])) found.push(at)
  return found
}

/** The index of the element that meets most clauses, the first of several; undefined if the list has no objects. */
export function nearestElement(conditions: ElementCondition, list: readonly unknown[]): number | undefined {
  const countMet = clausesMet(conditions, false)
  let nearest: number | undefined
  let most = -1
  for (const [at, element] of list.slice(0, 10 * mostElements).entries()) {
    const met = isObject(element) ? countMet(element) : -1
    if (met > most) [nearest, most] = [at, met]
  }
  return nearest
}

/** A clause behind `not` is met when it does not hold. */
function clausesMet(condition: ElementCondition, isNegated: boolean): (element: object) => number {
  const group = groupOf(condition)
  if (group !== undefined) {
    const counts = group.parts.map(part => clausesMet(part, isNegated !== (group.name === 'not')))
    return element => counts.reduce((sum, count) => sum + count(element), 0)
  }
  const holds = compileOperator('element', { all: [condition] })
  return element => (holds([element]) === isNegated ? 0 : 1)
}
