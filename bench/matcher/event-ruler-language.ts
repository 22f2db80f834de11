import { type BenchRule, type Clause, type Condition, fieldOf } from './rule.ts'

/** A rule in Event Ruler's language: fields nested as in the event, each with a list of what its value may be. */
type Pattern = { [field: string]: Pattern | Allowed[] | Pattern[] }
type Allowed = unknown

/**
 * The same rule for Event Ruler, or undefined where its language has no equivalent. Exact for values as the corpora have
 * them: what is negated must be there, since `anything-but` of a field that an event does not have is false.
 */
export function forEventRuler({ conditions }: BenchRule): Pattern | undefined {
  try {
    return patternOf(conditions)
  } catch (error) {
    if (error instanceof Untranslatable) return undefined
    throw error
  }
}

class Untranslatable extends Error {}

function patternOf(condition: Condition): Pattern {
  const pattern: Pattern = {}
  for (const part of partsOf(condition)) {
    if ('any' in part) putAlternatives(pattern, part.any.map(patternOf))
    else if ('all' in part) throw new Untranslatable('all within all')
    else if ('not' in part) put(pattern, negated(part.not))
    else put(pattern, { field: fieldOf(part), allowed: allowedBy(part) })
  }
  return pattern
}

const partsOf = (condition: Condition) => ('all' in condition ? condition.all : [condition])

interface Entry {
  readonly field: string[]
  readonly allowed: Allowed[]
}

function putAlternatives(pattern: Pattern, alternatives: Pattern[]): void {
  if ('$or' in pattern) throw new Untranslatable('two times any')
  // It takes a list of one for a field called $or.
  if (alternatives.length < 2) throw new Untranslatable('any of fewer than two')
  pattern.$or = alternatives
}

function put(pattern: Pattern, { field, allowed }: Entry): void {
  let place = pattern
  for (const name of field.slice(0, -1)) {
    place[name] ??= {}
    place = place[name] as Pattern
  }
  const last = field.at(-1)!
  const present = place[last] as Allowed[] | undefined
  place[last] = present === undefined ? allowed : [bothBounds(present, allowed)]
}

/** What stands in one list is alternatives, so two clauses on one field can be said only as one range. */
function bothBounds(first: Allowed[], second: Allowed[]): Allowed {
  const [one, other] = [first, second].map(([only]) => (only as { numeric?: unknown[] }).numeric)
  if (one?.length !== 2 || other?.length !== 2) throw new Untranslatable('two clauses on one field')
  return { numeric: String(one[0]).startsWith('>') ? [...one, ...other] : [...other, ...one] }
}

const bounds: Readonly<Record<string, string>> = {
  lessThan: '<',
  lessThanInclusive: '<=',
  greaterThan: '>',
  greaterThanInclusive: '>=',
}

const simple: Readonly<Record<string, (value: never) => Allowed[]>> = {
  equal: value => [value],
  contains: value => [value],
  'someFact:equal': value => [value],
  in: (values: unknown[]) => values,
  notEqual: value => [{ 'anything-but': value }],
  notIn: (values: unknown[]) => [{ 'anything-but': values }],
  startsWith: value => [{ prefix: value }],
  'someFact:startsWith': value => [{ prefix: value }],
  'someValue:startsWith': (values: string[]) => values.map(prefix => ({ prefix })),
  endsWith: value => [{ suffix: value }],
  wildcard: value => [{ wildcard: value }],
  equalsIgnoreCase: value => [{ 'equals-ignore-case': value }],
  exists: value => [{ exists: value }],
  cidr: value => [{ cidr: value }],
  between: ([low, high]: [number, number]) => [{ numeric: ['>=', low, '<=', high] }],
}

function allowedBy({ operator, value }: Clause): Allowed[] {
  const bound = bounds[operator]
  if (bound !== undefined) return [{ numeric: [bound, value] }]
  const translate = simple[operator]
  if (translate === undefined) throw new Untranslatable(operator)
  return translate(value as never)
}

const opposites: Readonly<Record<string, string>> = { equal: 'notEqual', notEqual: 'equal', in: 'notIn', notIn: 'in' }

function negated(condition: Condition): Entry {
  const opposite = 'operator' in condition ? opposites[condition.operator] : undefined
  if (opposite === undefined) throw new Untranslatable('not')
  const clause = { ...(condition as Clause), operator: opposite }
  return { field: fieldOf(clause), allowed: allowedBy(clause) }
}
