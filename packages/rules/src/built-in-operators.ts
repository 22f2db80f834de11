import { type Operator, type Predicate, plain } from './operator.ts'

/** json-rules-engine's notion of "a number": also the string "10", and what starts like one. */
function looksNumeric(value: unknown): boolean {
  // The first line only spares numbers the way through a string.
  if (typeof value === 'number') return !Number.isNaN(value)
  return !Number.isNaN(Number.parseFloat(value as string))
}

// The engine compares as JavaScript does, strings with strings by their letters included ("10" > 9, but "10" < "9").
type Comparable = number
type Order = (found: Comparable, named: Comparable) => boolean

const ordered = (order: Order): Operator =>
  plain((found, named) => looksNumeric(found) && order(found as Comparable, named as Comparable))

// Whatever has an `indexOf` is searched: a string too, which `swap:in` can meet. What has none throws.
const includes = (list: unknown, wanted: unknown) => (list as unknown[]).indexOf(wanted) > -1

/** From this length on a hash beats a walk. */
const walked = 8

/** `indexOf` as a hash. They agree on -0, which is 0 to both, and disagree on NaN, which `indexOf` never finds. */
function membership(list: unknown): Predicate {
  if (!Array.isArray(list)) return found => includes(list, found)
  if (list.length < walked) {
    const copy = [...list]
    return found => copy.indexOf(found) > -1
  }
  const members = new Set(list.filter(member => !Number.isNaN(member)))
  return found => members.has(found)
}

/** The operators of json-rules-engine 7.3.1 with its meaning to the letter, throws included. */
export const builtInOperators: ReadonlyMap<string, Operator> = new Map<string, Operator>([
  ['equal', plain((found, named) => found === named)],
  ['notEqual', plain((found, named) => found !== named)],
  ['in', { holds: (found, named) => includes(named, found), compile: membership }],
  [
    'notIn',
    {
      holds: (found, named) => !includes(named, found),
      compile(named) {
        const isMember = membership(named)
        return found => !isMember(found)
      },
    },
  ],
  ['contains', plain((found, named) => Array.isArray(found) && includes(found, named))],
  ['doesNotContain', plain((found, named) => Array.isArray(found) && !includes(found, named))],
  ['lessThan', ordered((found, named) => found < named)],
  ['lessThanInclusive', ordered((found, named) => found <= named)],
  ['greaterThan', ordered((found, named) => found > named)],
  ['greaterThanInclusive', ordered((found, named) => found >= named)],
])
