import type { Condition } from '../src/language.ts'
import { compileOperator } from '../src/operators.ts'
import { parsePath, readPath } from '../src/path.ts'

type Check = (alert: Record<string, unknown>) => boolean

/** Every clause asked of every alert: the meaning of a rule in the fewest words. */
export function compilePlainly(condition: Condition): Check {
  if (Object.hasOwn(condition, 'any')) {
    const inner = (condition as { any: Condition[] }).any.map(compilePlainly)
    return alert => inner.length === 0 || inner.some(holds => holds(alert))
  }
  if (Object.hasOwn(condition, 'all')) {
    const inner = (condition as { all: Condition[] }).all.map(compilePlainly)
    return alert => inner.every(holds => holds(alert))
  }
  if (Object.hasOwn(condition, 'not')) {
    const inner = compilePlainly((condition as { not: Condition }).not)
    return alert => !inner(alert)
  }
  const { fact, operator, value, path } = condition as Extract<Condition, { fact: string }>
  const holds = compileOperator(operator, value)
  const parsed = parsePath(path ?? '$')
  if ('problem' in parsed) throw new Error(parsed.problem)
  return alert => holds(Object.hasOwn(alert, fact) ? readPath(alert[fact], parsed.steps) : undefined)
}
