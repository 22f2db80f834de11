import { groupOf } from '../src/group.ts'
import type { Clause, Condition } from '../src/language.ts'
import { compileOperator } from '../src/operators.ts'
import { parsePath, readPath } from '../src/path.ts'

type Check = (alert: Record<string, unknown>) => boolean

/** Every clause asked of every alert: the meaning of a rule in the fewest words. */
export function compilePlainly(condition: Condition): Check {
  const group = groupOf(condition)
  if (group !== undefined) {
    const inner = group.parts.map(compilePlainly)
    if (group.name === 'not') return alert => !inner[0]?.(alert)
    if (group.name === 'all') return alert => inner.every(holds => holds(alert))
    return alert => inner.length === 0 || inner.some(holds => holds(alert))
  }
  const { fact, operator, value, path } = condition as Clause
  const holds = compileOperator(operator, value)
  const parsed = parsePath(path ?? '$')
  if ('problem' in parsed) throw new Error(parsed.problem)
  return alert => holds(Object.hasOwn(alert, fact) ? readPath(alert[fact], parsed.steps) : undefined)
}
