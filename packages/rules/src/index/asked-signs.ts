import type { Asked } from '../operators.ts'
import { shows } from './sign.ts'

const orders: ReadonlySet<string> = new Set([
  ...['lessThan', 'lessThanInclusive', 'greaterThan', 'greaterThanInclusive', 'between'],
])

/**
 * The values at which the engine throws. There the clause is false whatever `not:` it has, so that elsewhere only does
 * `not:` make the opposite of it. Comparing throws at objects that cannot be made a text, which compare as no number.
 */
export function throwsAt({ decorators, base }: Asked, value: unknown): 'nothing' | 'unordered' | 'anything' {
  if (decorators.includes('swap')) return 'anything'
  let named: readonly unknown[] = [value]
  for (const decorator of decorators) {
    if (!decorator.endsWith('Value')) continue
    if (!named.every(Array.isArray)) return 'anything'
    named = named.flat()
  }
  if ((base === 'in' || base === 'notIn') && !named.every(Array.isArray)) return 'anything'
  return orders.has(base) ? 'unordered' : 'nothing'
}

/** What must be found so that an operator can hold, by its name; and so if the sides are swapped. */
const askedIf: ReadonlyMap<string, number> = new Map([
  ...['contains', 'doesNotContain', 'element'].map(base => [base, shows.askedIfList] as const),
  ...['startsWith', 'endsWith', 'equalsIgnoreCase', 'wildcard', 'matches', 'cidr'].map(
    base => [base, shows.askedIfText] as const,
  ),
  ...[...orders].map(base => [base, shows.askedIfPresent] as const),
])
const askedIfSwapped: ReadonlyMap<string, number> = new Map([
  ...['startsWith', 'endsWith', 'equalsIgnoreCase'].map(base => [base, shows.askedIfText] as const),
  ...['in', 'notIn', ...orders].map(base => [base, shows.askedIfPresent] as const),
])

/** Which sign stands for the clause as such: it need not be asked where it cannot hold. */
export function askedSign({ decorators, base }: Asked, value: unknown, isNegated: boolean): number {
  const [outermost, ...others] = decorators
  const inner = { decorators: others, base }
  if (outermost === 'not') return askedSign(inner, value, !isNegated)
  if (isNegated) return shows.asked
  switch (outermost) {
    case undefined:
      return askedIf.get(base) ?? shows.asked
    case 'swap':
      return (others.length === 0 ? askedIfSwapped.get(base) : undefined) ?? shows.asked
    case 'someFact':
    case 'everyFact':
      return shows.askedIfList
    default: {
      const [first, ...rest] = new Set(Array.isArray(value) ? value.map(one => askedSign(inner, one, false)) : [])
      return rest.length > 0 ? shows.asked : (first ?? shows.asked)
    }
  }
}
