import { groupOf } from './group.ts'
import { isObject } from './json-kinds.ts'
import type { ElementClause, ElementCondition } from './language.ts'
import { never, type Operator, type Predicate, prepared } from './operator.ts'
import { parsePath, readPath } from './path.ts'

type CompileOperator = (name: string, value: unknown) => Predicate
type Test = (element: Record<string, unknown>) => boolean

/** Holds of an array with an object that alone meets all conditions. Members that are no objects are passed over. */
export const elementOperator = (compileOperator: CompileOperator): Operator =>
  prepared(named => {
    if (!isObject(named)) return never
    const holds = compile(named as unknown as ElementCondition, compileOperator)
    return found => Array.isArray(found) && found.some(member => isObject(member) && holds(member))
  })

function compile(condition: ElementCondition, compileOperator: CompileOperator): Test {
  const group = groupOf(condition)
  if (group !== undefined) {
    const tests = group.parts.map(part => compile(part, compileOperator))
    if (group.name === 'not') return element => !tests[0]?.(element)
    return group.name === 'any' ? anyOf(tests) : allOf(tests)
  }
  const { field, operator, value, path } = condition as ElementClause
  const holds = compileOperator(operator, value)
  const parsed = parsePath(path ?? '$')
  if ('problem' in parsed) throw new Error(`not a validated path: ${path} ${parsed.problem}`)
  return element => holds(Object.hasOwn(element, field) ? readPath(element[field], parsed.steps) : undefined)
}

const allOf =
  (tests: readonly Test[]): Test =>
  element =>
    tests.every(holds => holds(element))

/** As in the engine, an empty `any` holds. */
const anyOf =
  (tests: readonly Test[]): Test =>
  element =>
    tests.length === 0 || tests.some(holds => holds(element))
