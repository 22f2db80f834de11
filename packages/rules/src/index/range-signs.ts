import type { Field } from './field.ts'
import { anySign, noSign, Sign, type Signs, shows } from './sign.ts'

/**
 * The number that the engine's comparisons take a value for when the other side is a number; NaN if they are false of
 * it whatever the number is. A text counts when it starts like a number and is one as a whole.
 */
export function orderedNumber(found: unknown): number {
  if (typeof found === 'number') return found
  if (typeof found === 'string') return numberIn(found)
  if (!Array.isArray(found)) return Number.NaN
  try {
    return numberIn(String(found))
  } catch {
    return Number.NaN
  }
}

const numberIn = (text: string) => (Number.isNaN(Number.parseFloat(text)) ? Number.NaN : Number(text))

export function rangeSign(field: Field, ofMember: boolean, low: number, high: number): Signs {
  return low <= high ? new Sign(field, ofMember, shows.range, undefined, low, high) : noSign
}

/** Of what is not from `low` to `high`. */
export function outsideSigns(field: Field, ofMember: boolean, low: number, high: number): Signs | undefined {
  if (Number.isNaN(low) || Number.isNaN(high)) return undefined
  return anySign([
    rangeSign(field, ofMember, Number.NEGATIVE_INFINITY, low),
    rangeSign(field, ofMember, high, Number.POSITIVE_INFINITY),
    new Sign(field, ofMember, shows.unordered, undefined),
  ])
}

const isUpper = (operator: string) => operator.startsWith('less')

/** A bound that is a number, or true, false or null, which compare as 1, 0 and 0. */
export function numberSigns(
  field: Field,
  ofMember: boolean,
  operator: string,
  value: unknown,
  isNegated: boolean,
): Signs | undefined {
  // A list or an object is compared by its text: too rare to have signs.
  if (typeof value === 'object' && value !== null) return undefined
  const bound = Number(value)
  if (Number.isNaN(bound)) return isNegated ? undefined : noSign
  const range =
    isUpper(operator) !== isNegated
      ? rangeSign(field, ofMember, Number.NEGATIVE_INFINITY, bound)
      : rangeSign(field, ofMember, bound, Number.POSITIVE_INFINITY)
  return isNegated ? anySign([range, new Sign(field, ofMember, shows.unordered, undefined)]) : range
}

/** A bound that is a text is compared by its letters with texts and by its number with numbers. */
export function textBoundSigns(field: Field, ofMember: boolean, operator: string, text: string): Signs {
  const byLetters = new Sign(field, ofMember, isUpper(operator) ? shows.textTo : shows.textFrom, text)
  const byNumber = numberSigns(field, ofMember, operator, Number(text), false) as Signs
  return anySign([byLetters, byNumber])
}
