import { hasMembers } from './json-kinds.ts'
import { type Operator, plain, type Question } from './operator.ts'
import { hasText, textOf } from './text-of.ts'

const digits = { first: 48, last: 57 }
/** Of `Infinity`. */
const capitalI = 73

/** Spares most texts the reading. */
const startsLikeNone = (first: number) => first > digits.last && first < 128 && first !== capitalI

/** As JavaScript has it. */
const numberIn = (text: string) => (startsLikeNone(text.charCodeAt(0)) ? Number.NaN : Number(text))

/** json-rules-engine's notion of a text that is "a number": it starts like one. */
function looksNumeric(text: string): boolean {
  const first = text.charCodeAt(0)
  if (first >= digits.first && first <= digits.last) return true
  return text !== '' && !startsLikeNone(first) && !Number.isNaN(Number.parseFloat(text))
}

/** Down to what is in lists of one; undefined where that is nothing. */
function innermost(list: unknown): unknown {
  let only = list
  while (Array.isArray(only) && only.length < 2) only = only[0]
  return only
}

/**
 * The number that json-rules-engine compares with a number; NaN where the answer is no whatever that is, as it is of a
 * list that has more than one member. Undefined where it throws.
 */
export function comparedNumber(found: unknown): number | undefined {
  if (typeof found === 'number') return found
  if (typeof found === 'string') {
    const number = numberIn(found)
    // To JavaScript, a text without anything in it is 0.
    return number === 0 && !looksNumeric(found) ? Number.NaN : number
  }
  if (!hasMembers(found)) return Number.NaN
  const only = innermost(found)
  if (!hasMembers(only)) return comparedNumber(only)
  return hasText(only) ? Number.NaN : undefined
}

/** The number that JavaScript compares a number with. */
function numberOf(named: unknown): number | undefined {
  if (typeof named === 'string') return numberIn(named)
  if (!hasMembers(named)) return Number(named)
  const only = innermost(named)
  if (hasMembers(only)) return hasText(only) ? Number.NaN : undefined
  return typeof only === 'boolean' ? Number.NaN : Number(only ?? '')
}

// The engine compares as JavaScript does, strings with strings by their letters included ("10" > 9, but "10" < "9").
type Comparable = number
type Order = (found: Comparable, named: Comparable) => boolean

/** How much of a text tells how it compares with this: a character more than it has decides, and so does a comma. */
const lengthToTell = (other: unknown) => (typeof other === 'string' ? other.length + 1 : 0)

const ordered = (order: Order): Operator => {
  const holds: Operator['holds'] = (found, named) => {
    if (typeof named === 'number') {
      const number = comparedNumber(found)
      return number === undefined ? undefined : order(number, named)
    }
    if (typeof found === 'number') {
      const number = numberOf(named)
      return number === undefined ? undefined : order(found, number)
    }
    const left = hasMembers(found) ? textOf(found, hasMembers(named) ? Infinity : lengthToTell(named)) : found
    if (hasMembers(found) && left === undefined) return undefined
    if (typeof left !== 'string' || !looksNumeric(left)) return false
    const right = hasMembers(named) ? textOf(named, lengthToTell(left)) : named
    if (hasMembers(named) && right === undefined) return undefined
    return order(left as unknown as Comparable, right as Comparable)
  }
  return {
    holds,
    compile(named) {
      const right = typeof named === 'boolean' || named === null ? Number(named) : textOnce(named)
      const number = numberOf(right) ?? Number.NaN
      return found => (typeof found === 'number' ? order(found, number) : holds(found, right))
    },
    compileLeft(found) {
      const left = textOnce(found)
      return named => holds(left, named)
    },
  }
}

/** What a rule names may be a list of 30,000 that is compared with 100,000 members of an alert's list. */
const textOnce = (named: unknown) => (hasMembers(named) ? (textOf(named, Infinity) ?? named) : named)

/** A list is searched, and so is a text, which `swap:in` can meet. In anything else the engine cannot look. */
function includes(list: unknown, wanted: unknown): boolean | undefined {
  if (Array.isArray(list)) return list.indexOf(wanted) > -1
  if (typeof list !== 'string') return undefined
  const text = hasMembers(wanted) ? textOf(wanted, Infinity) : String(wanted)
  return text === undefined ? undefined : list.includes(text)
}

/** What `swap:in` and `swap:notIn` look for: in a list by itself, in a text by its text. */
const wantedIn =
  (verdict: boolean) =>
  (wanted: unknown): Question => {
    const text = textOnce(wanted)
    return list => answer(includes(list, typeof list === 'string' ? text : wanted), verdict)
  }

const answer = (isIncluded: boolean | undefined, verdict: boolean) =>
  isIncluded === undefined ? undefined : isIncluded === verdict

/** From this length on a hash beats a walk. */
const walked = 8

/** `indexOf` as a hash. They agree on -0, which is 0 to both, and disagree on NaN, which `indexOf` never finds. */
function membership(list: unknown): Question {
  if (!Array.isArray(list)) return found => includes(list, found)
  if (list.length < walked) {
    const copy = [...list]
    return found => copy.indexOf(found) > -1
  }
  const members = new Set(list.filter(member => !Number.isNaN(member)))
  return found => members.has(found)
}

const memberOf = (verdict: boolean): Operator => ({
  holds: (found, named) => answer(includes(named, found), verdict),
  compile(named) {
    const isMember = membership(named)
    return found => answer(isMember(found), verdict)
  },
  compileLeft: wantedIn(verdict),
})

const having = (verdict: boolean): Operator => ({
  ...plain((found, named) => Array.isArray(found) && includes(found, named) === verdict),
  compileLeft(found) {
    const isMember = membership(found)
    return Array.isArray(found) ? named => isMember(named) === verdict : () => false
  },
})

/** The operators of json-rules-engine 7.3.1 with its meaning to the letter; undefined where it throws. */
export const builtInOperators: ReadonlyMap<string, Operator> = new Map<string, Operator>([
  ['equal', plain((found, named) => found === named)],
  ['notEqual', plain((found, named) => found !== named)],
  ['in', memberOf(true)],
  ['notIn', memberOf(false)],
  ['contains', having(true)],
  ['doesNotContain', having(false)],
  ['lessThan', ordered((found, named) => found < named)],
  ['lessThanInclusive', ordered((found, named) => found <= named)],
  ['greaterThan', ordered((found, named) => found > named)],
  ['greaterThanInclusive', ordered((found, named) => found >= named)],
])
