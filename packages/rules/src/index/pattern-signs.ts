import { signsOf } from './clause-signs.ts'
import type { Field } from './field.ts'
import type { Part, Patterns } from './patterns.ts'
import { rangeSign } from './range-signs.ts'
import { allSigns, anySign, Sign, type Signs, shows } from './sign.ts'

export function signsOfPattern(patterns: Patterns, pattern: number): Signs {
  const recent = patterns.recentSigns
  const known = recent.get(pattern)
  if (known !== undefined) return known
  const signs = signsOfParts(patterns, patterns.partsOf(pattern), false)
  recent.add(pattern, signs)
  return signs
}

function signsOfParts(patterns: Patterns, parts: readonly Part[], isAny: boolean): Signs {
  const signs = parts.map(part => {
    if (part > 0) return signsOf(patterns.clauses, patterns.clauses.clauseOf(part))
    const group = patterns.group(part)
    return signsOfParts(patterns, group.parts, group.isAny)
  })
  if (isAny) return anySign(signs)
  const ranges = signs.filter(isRange)
  return allSigns(ranges.length < 2 ? signs : [...signs, ...commonRanges(ranges)])
}

const isRange = (sign: Signs): sign is Sign => sign instanceof Sign && sign.shows === shows.range && !sign.ofMember

/** Two bounds on one field, in two clauses, are one range: each alone may hold of half of all alerts. */
function commonRanges(signs: readonly Sign[]): Signs[] {
  const ranges = new Map<Field, { low: number; high: number; count: number }>()
  for (const { field, low, high } of signs) {
    const known = ranges.get(field)
    if (known === undefined) ranges.set(field, { low, high, count: 1 })
    else {
      known.low = Math.max(known.low, low)
      known.high = Math.min(known.high, high)
      known.count++
    }
  }
  const common: Signs[] = []
  for (const [field, { low, high, count }] of ranges) if (count > 1) common.push(rangeSign(field, false, low, high))
  return common
}
