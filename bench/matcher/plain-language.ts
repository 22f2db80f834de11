import type { Clause, Condition } from './rule.ts'

/**
 * What the operators of the corpora mean, said in the shortest way and independently of packages/rules: json-rules-engine
 * is given these, and tests hold the other engines against them. Only for values as the corpora have them.
 */
type Operator = (found: never, named: never) => boolean

export const plainOperators: Readonly<Record<string, Operator>> = {
  startsWith: (found: string, named: string) => found.startsWith(named),
  endsWith: (found: string, named: string) => found.endsWith(named),
  wildcard: (found: string, named: string) => asRegExp(named.split('*').map(escaped).join('.*')).test(found),
  matches: (found: string, named: string) => asRegExp(named).test(found),
  equalsIgnoreCase: (found: string, named: string) => found.toLowerCase() === named.toLowerCase(),
  exists: (found: unknown, named: boolean) => (found !== undefined) === named,
  between: (found: number, [low, high]: [number, number]) => low <= found && found <= high,
  cidr: (found: string, named: string) => isInBlock(found, named),
  element: (found: object[], named: Condition) => found.some(one => holds(asFacts(named), one)),
}

/** Those that json-rules-engine brings itself. */
const itsOperators: Readonly<Record<string, Operator>> = {
  equal: (found: unknown, named: unknown) => found === named,
  notEqual: (found: unknown, named: unknown) => found !== named,
  in: (found: unknown, named: unknown[]) => named.includes(found),
  notIn: (found: unknown, named: unknown[]) => !named.includes(found),
  contains: (found: unknown[], named: unknown) => found.includes(named),
  doesNotContain: (found: unknown[], named: unknown) => !found.includes(named),
  lessThan: (found: number, named: number) => found < named,
  lessThanInclusive: (found: number, named: number) => found <= named,
  greaterThan: (found: number, named: number) => found > named,
  greaterThanInclusive: (found: number, named: number) => found >= named,
}

/** The verdict, by looking at every clause. */
export function holds(condition: Condition, alert: object): boolean {
  if ('all' in condition) return condition.all.every(inner => holds(inner, alert))
  if ('any' in condition) return condition.any.some(inner => holds(inner, alert))
  if ('not' in condition) return !holds(condition.not, alert)
  return compares(condition.operator, valueAt(condition, alert), condition.value)
}

function compares(operator: string, found: unknown, named: unknown): boolean {
  const [decorator, inner] = operator.split(':')
  if (inner !== undefined && decorator === 'someFact') return list(found).some(one => compares(inner, one, named))
  if (inner !== undefined && decorator === 'someValue') return list(named).some(one => compares(inner, found, one))
  const compare = plainOperators[operator] ?? itsOperators[operator]
  if (compare === undefined) throw new Error(`there is no plain form of ${operator}`)
  return compare(found as never, named as never)
}

const list = (value: unknown) => value as unknown[]

function valueAt({ fact, path = '$' }: Clause, alert: object): unknown {
  let value: unknown = alert
  for (const name of [fact, ...path.split('.').slice(1)]) value = (value as Record<string, unknown> | undefined)?.[name]
  return value
}

/** The clauses of an element name a `field` where those of a rule name a `fact`. */
function asFacts(named: Condition): Condition {
  if ('all' in named) return { all: named.all.map(asFacts) }
  if ('any' in named) return { any: named.any.map(asFacts) }
  if ('not' in named) return { not: asFacts(named.not) }
  return { ...named, fact: (named as Clause & { field: string }).field }
}

const escaped = (text: string) => text.replace(/[\\^$.+?()[\]{}|]/g, '\\$&')

const compiled = new Map<string, RegExp>()

function asRegExp(pattern: string): RegExp {
  const ignoresCase = pattern.startsWith('(?i)')
  const text = pattern.slice(ignoresCase ? '(?i)'.length : 0)
  const regExp = compiled.get(pattern) ?? new RegExp(`^(?:${text})$`, ignoresCase ? 'is' : 's')
  compiled.set(pattern, regExp)
  return regExp
}

function isInBlock(address: string, block: string): boolean {
  const [network = '', bits] = block.split('/')
  return (asNumber(address) ^ asNumber(network)) >>> (32 - Number(bits)) === 0
}

const asNumber = (address: string) => address.split('.').reduce((sum, part) => sum * 256 + Number(part), 0)
