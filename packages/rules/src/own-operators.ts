import { comparedNumber } from './built-in-operators.ts'
import { cidr } from './cidr.ts'
import { isEqualIgnoringCase } from './fold-case.ts'
import { never, type Operator, prepared } from './operator.ts'
import { matches } from './regular-expression.ts'
import { wildcard } from './wildcard.ts'

/** Text operators hold of text only: a number is not read as its digits. */
const onText = (compile: (named: string) => (found: string) => boolean): Operator =>
  prepared(named => {
    if (typeof named !== 'string') return never
    const holds = compile(named)
    return found => typeof found === 'string' && holds(found)
  })

/** What `between` names, if it is that. */
export function boundsOf(named: unknown): [low: number, high: number] | undefined {
  if (!Array.isArray(named) || named.length !== 2) return undefined
  const [low, high] = named
  return typeof low === 'number' && typeof high === 'number' ? [low, high] : undefined
}

/** The operators that are not json-rules-engine's. All of them are false of what they are not made for. */
export const ownOperators: ReadonlyMap<string, Operator> = new Map<string, Operator>([
  ['startsWith', onText(named => found => found.startsWith(named))],
  ['endsWith', onText(named => found => found.endsWith(named))],
  ['wildcard', wildcard],
  ['matches', matches],
  ['equalsIgnoreCase', onText(named => found => isEqualIgnoringCase(found, named))],
  [
    'exists',
    // A field that is null is there: JSON has no other way to write it.
    prepared(named => (typeof named === 'boolean' ? found => (found !== undefined) === named : never)),
  ],
  [
    'between',
    // As in the comparisons of the engine, so that whatever it takes for a number is one here too.
    prepared(named => {
      const bounds = boundsOf(named)
      if (bounds === undefined) return never
      const [low, high] = bounds
      return found => {
        const number = comparedNumber(found)
        return number === undefined ? undefined : number >= low && number <= high
      }
    }),
  ],
  ['cidr', cidr],
])
