import { builtInOperators } from './built-in-operators.ts'
import { type Decorator, decorate, isDecorator } from './decorators.ts'
import { elementOperator } from './element.ts'
import { copyOfNamed } from './named-value.ts'
import type { Operator, Predicate } from './operator.ts'
import { ownOperators } from './own-operators.ts'

const base: ReadonlyMap<string, Operator> = new Map<string, Operator>([
  ...builtInOperators,
  ...ownOperators,
  ['element', elementOperator(compileOperator)],
])

/** Every operator without its decorators. */
export const operatorNames: readonly string[] = [...base.keys()]

/** The parts of an operator's name. */
export interface Asked {
  /** The outermost first. */
  readonly decorators: readonly Decorator[]
  readonly base: string
}

/** Nearly all clauses have none, and rules are read by the hundred thousand. */
const undecorated: ReadonlyMap<string, Asked> = new Map(
  operatorNames.map(name => [name, { decorators: [], base: name }]),
)

/** A name such as `not:someFact:equal` in its parts; undefined if it is none. */
export function splitOperator(name: string): Asked | undefined {
  const plain = undecorated.get(name)
  if (plain !== undefined) return plain
  const decorators = name.split(':')
  const last = decorators.pop() as string
  return base.has(last) && decorators.every(isDecorator) ? { decorators, base: last } : undefined
}

/**
 * What a clause with this operator and value asks of the value that it finds. The clause has passed validation. The
 * answer never throws: where json-rules-engine would, as it does on an object whose toString is no function, the clause
 * is false, its `not:` included, and other rules go on.
 */
export function compileOperator(name: string, value: unknown): Predicate {
  const parts = splitOperator(name)
  if (parts === undefined) throw new Error(`not a validated operator: ${name}`)
  const ask = decorate(parts.decorators, base.get(parts.base) as Operator, copyOfNamed(value))
  return found => {
    try {
      return ask(found) === true
    } catch {
      // No JSON comes here.
      return false
    }
  }
}

/** An operator as it stands, for registering it elsewhere. */
export const operatorNamed = (name: string): Operator | undefined => base.get(name)
