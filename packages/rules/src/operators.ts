/** What a clause asks of the value that it finds (left) against the one that it names (right). */
type Operator = (found: unknown, named: unknown) => boolean

/** json-rules-engine's notion of "a number": also the string "10", and what starts like one. */
const looksNumeric = (value: unknown) => !Number.isNaN(Number.parseFloat(value as string))

// The engine compares as JavaScript does, strings with strings by their letters included ("10" > 9, but "10" < "9").
type Comparable = number

const ordered =
  (holds: (found: Comparable, named: Comparable) => boolean): Operator =>
  (found, named) =>
    looksNumeric(found) && holds(found as Comparable, named as Comparable)

/** The built-in operators of json-rules-engine 7.3.1, by name, with its meaning to the letter. */
export const operators: ReadonlyMap<string, Operator> = new Map<string, Operator>([
  ['equal', (found, named) => found === named],
  ['notEqual', (found, named) => found !== named],
  ['in', (found, named) => (named as unknown[]).indexOf(found) > -1],
  ['notIn', (found, named) => (named as unknown[]).indexOf(found) === -1],
  ['contains', (found, named) => Array.isArray(found) && found.indexOf(named) > -1],
  ['doesNotContain', (found, named) => Array.isArray(found) && found.indexOf(named) === -1],
  ['lessThan', ordered((found, named) => found < named)],
  ['lessThanInclusive', ordered((found, named) => found <= named)],
  ['greaterThan', ordered((found, named) => found > named)],
  ['greaterThanInclusive', ordered((found, named) => found >= named)],
])

/** Operators whose named value must be an array: the engine would throw, or search in a string, on anything else. */
export const arrayOperators: ReadonlySet<string> = new Set(['in', 'notIn'])
