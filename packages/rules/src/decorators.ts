import { never, type Operator, type Predicate } from './operator.ts'

export const decoratorNames = ['not', 'someFact', 'everyFact', 'someValue', 'everyValue', 'swap'] as const
export type Decorator = (typeof decoratorNames)[number]

export const isDecorator = (name: string): name is Decorator => (decoratorNames as readonly string[]).includes(name)

/**
 * A decorated operator is asked of two values, left and right. One of them is named by the rule; `swap` decides which.
 * `named` is the side of the named value at this point of the chain, so that whatever stays named until the operator
 * is reached is prepared once. What json-rules-engine throws on throws here too, at the same moment.
 */
export function decorate(
  decorators: readonly Decorator[],
  operator: Operator,
  value: unknown,
  named: 'left' | 'right' = 'right',
): Predicate {
  const [outermost, ...rest] = decorators
  if (outermost === undefined)
    return named === 'right' ? operator.compile(value) : found => operator.holds(value, found)
  const inner = (part: unknown, side = named) => decorate(rest, operator, part, side)
  switch (outermost) {
    case 'not': {
      const holds = inner(value)
      return found => !holds(found)
    }
    case 'swap':
      return inner(value, named === 'right' ? 'left' : 'right')
    case 'someFact':
      // The engine asks whether the left side is an array, and only then walks it: no array is false.
      return named === 'right' ? someFound(inner(value), isArray) : someNamed(value, inner, false)
    case 'everyFact':
      return named === 'right' ? everyFound(inner(value), isArray) : everyNamed(value, inner, false)
    case 'someValue':
      // The right side is walked unasked: no array is an error.
      return named === 'right' ? someNamed(value, inner, true) : someFound(inner(value), mustBeArray)
    case 'everyValue':
      return named === 'right' ? everyNamed(value, inner, true) : everyFound(inner(value), mustBeArray)
  }
}

type IsWalkable = (found: unknown) => found is unknown[]

const isArray: IsWalkable = found => Array.isArray(found)

const mustBeArray: IsWalkable = (found): found is unknown[] => {
  if (!Array.isArray(found)) throw new TypeError('someValue and everyValue need an array')
  return true
}

const someFound =
  (holds: Predicate, isWalkable: IsWalkable): Predicate =>
  found =>
    isWalkable(found) && found.some(member => holds(member))

const everyFound =
  (holds: Predicate, isWalkable: IsWalkable): Predicate =>
  found =>
    isWalkable(found) && found.every(member => holds(member))

function someNamed(value: unknown, inner: (part: unknown) => Predicate, required: boolean): Predicate {
  if (!Array.isArray(value)) return noArray(required)
  const parts = value.map(part => inner(part))
  return found => parts.some(holds => holds(found))
}

function everyNamed(value: unknown, inner: (part: unknown) => Predicate, required: boolean): Predicate {
  if (!Array.isArray(value)) return noArray(required)
  const parts = value.map(part => inner(part))
  return found => parts.every(holds => holds(found))
}

/** Nothing to walk on the named side: an error where the array is required, and false where it is asked for first. */
const noArray = (required: boolean): Predicate => (required ? () => mustBeArray(undefined) : never)
