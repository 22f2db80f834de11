import { never, type Operator, type Question } from './operator.ts'

export const decoratorNames = ['not', 'someFact', 'everyFact', 'someValue', 'everyValue', 'swap'] as const
export type Decorator = (typeof decoratorNames)[number]

export const isDecorator = (name: string): name is Decorator => (decoratorNames as readonly string[]).includes(name)

/**
 * A decorated operator is asked of two values, left and right. One of them is named by the rule; `swap` decides which.
 * `named` is the side of the named value at this point of the chain, so that whatever stays named until the operator
 * is reached is prepared once. What json-rules-engine throws on is undefined here: like a throw, it ends the walk.
 */
export function decorate(
  decorators: readonly Decorator[],
  operator: Operator,
  value: unknown,
  named: 'left' | 'right' = 'right',
): Question {
  const [outermost, ...rest] = decorators
  if (outermost === undefined) return named === 'right' ? operator.compile(value) : operator.compileLeft(value)
  const inner = (part: unknown, side = named) => decorate(rest, operator, part, side)
  switch (outermost) {
    case 'not': {
      const ask = inner(value)
      return found => {
        const verdict = ask(found)
        return verdict === undefined ? undefined : !verdict
      }
    }
    case 'swap':
      return inner(value, named === 'right' ? 'left' : 'right')
    case 'someFact':
      // The engine asks whether the left side is an array, and only then walks it: no array is false.
      return named === 'right' ? walkFound(inner(value), true, false) : walkNamed(value, inner, true, false)
    case 'everyFact':
      return named === 'right' ? walkFound(inner(value), false, false) : walkNamed(value, inner, false, false)
    case 'someValue':
      // The right side is walked unasked: no array is an error.
      return named === 'right' ? walkNamed(value, inner, true, undefined) : walkFound(inner(value), true, undefined)
    case 'everyValue':
      return named === 'right' ? walkNamed(value, inner, false, undefined) : walkFound(inner(value), false, undefined)
  }
}

/** Asks the members of what is found until the verdict is that of one, which is `decisive`, or there is none. */
const walkFound =
  (ask: Question, decisive: boolean, ofNoArray: false | undefined): Question =>
  found => {
    if (!Array.isArray(found)) return ofNoArray
    for (let at = 0; at < found.length; at++) {
      const verdict = ask(found[at])
      if (verdict !== !decisive) return verdict
    }
    return !decisive
  }

/** The same with the members that the rule names. */
function walkNamed(
  value: unknown,
  inner: (part: unknown) => Question,
  decisive: boolean,
  ofNoArray: false | undefined,
): Question {
  if (!Array.isArray(value)) return ofNoArray === undefined ? () => undefined : never
  const parts = value.map(part => inner(part))
  return found => {
    for (let at = 0; at < parts.length; at++) {
      const verdict = (parts[at] as Question)(found)
      if (verdict !== !decisive) return verdict
    }
    return !decisive
  }
}
