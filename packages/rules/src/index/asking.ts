/**
 * How a clause is asked: most of them right here, without a call, which is half of what they cost; the others by their
 * operator, and then once per alert. In the order in which a pattern best asks its clauses.
 */
export const asking = {
  /** By the number that the field has for the value. */
  equal: 1,
  notEqual: 2,
  exists: 3,
  less: 4,
  lessOrEqual: 5,
  more: 6,
  moreOrEqual: 7,
  between: 8,
  in: 9,
  notIn: 10,
  contains: 11,
  doesNotContain: 12,
  startsWith: 13,
  endsWith: 14,
  byOperator: 15,
  /** Where the opposite is meant. */
  notByOperator: 16,
} as const

const isAnything = () => true
const isPlain = (value: unknown) =>
  value === null || typeof value === 'string' || typeof value === 'boolean' || (isNumber(value) && !Number.isNaN(value))
const isNumber = (value: unknown) => typeof value === 'number'
const isText = (value: unknown) => typeof value === 'string'
const isBoolean = (value: unknown) => typeof value === 'boolean'
const isPair = (value: unknown) => Array.isArray(value) && value.length === 2 && value.every(isNumber)
/** From this length on a hash, which the operator has, beats a walk. */
const longestWalked = 8
const isShortList = (value: unknown) => Array.isArray(value) && value.length < longestWalked

/** The operators that are asked here, with what they must name for that. */
const direct: ReadonlyMap<string, readonly [asking: number, names: (value: unknown) => boolean]> = new Map([
  ['equal', [asking.equal, isPlain]],
  ['notEqual', [asking.notEqual, isPlain]],
  ['exists', [asking.exists, isBoolean]],
  ['lessThan', [asking.less, isNumber]],
  ['lessThanInclusive', [asking.lessOrEqual, isNumber]],
  ['greaterThan', [asking.more, isNumber]],
  ['greaterThanInclusive', [asking.moreOrEqual, isNumber]],
  ['between', [asking.between, isPair]],
  ['in', [asking.in, isShortList]],
  ['notIn', [asking.notIn, isShortList]],
  ['contains', [asking.contains, isAnything]],
  ['doesNotContain', [asking.doesNotContain, isAnything]],
  ['startsWith', [asking.startsWith, isText]],
  ['endsWith', [asking.endsWith, isText]],
] as const)

export function howToAsk(operator: string, value: unknown, isNegated: boolean): number {
  if (isNegated) return asking.notByOperator
  const way = direct.get(operator)
  return way?.[1](value) ? way[0] : asking.byOperator
}

/** Undefined for what only the operator knows: above all what compares as a number without being one. */
export function ask(how: number, found: unknown, named: unknown): boolean | undefined {
  switch (how) {
    case asking.exists:
      return (found !== undefined) === named
    case asking.less:
      return typeof found === 'number' ? found < (named as number) : undefined
    case asking.lessOrEqual:
      return typeof found === 'number' ? found <= (named as number) : undefined
    case asking.more:
      return typeof found === 'number' ? found > (named as number) : undefined
    case asking.moreOrEqual:
      return typeof found === 'number' ? found >= (named as number) : undefined
    case asking.between:
      return typeof found === 'number' ? isBetween(found, named as [number, number]) : undefined
    case asking.in:
      return isMember(named as readonly unknown[], found)
    case asking.notIn:
      return !isMember(named as readonly unknown[], found)
    case asking.contains:
      return Array.isArray(found) && isMember(found, named)
    case asking.doesNotContain:
      return Array.isArray(found) && !isMember(found, named)
    case asking.startsWith:
      return typeof found === 'string' && found.startsWith(named as string)
    case asking.endsWith:
      return typeof found === 'string' && found.endsWith(named as string)
    default:
      return undefined
  }
}

const isBetween = (found: number, [low, high]: readonly [number, number]) => found >= low && found <= high

/** As `indexOf` has it. */
function isMember(list: readonly unknown[], wanted: unknown): boolean {
  for (let at = 0; at < list.length; at++) if (list[at] === wanted) return true
  return false
}
