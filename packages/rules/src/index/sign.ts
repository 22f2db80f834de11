import type { Field } from './field.ts'

/** What the value of a field can show. */
export const shows = {
  /** `key` itself. */
  equal: 0,
  /** A text of `low` characters that in one case have the hash `key`. */
  folded: 1,
  /** A number, or what compares as one, from `low` to `high`, both included. */
  range: 2,
  /** Nothing that compares as a number. */
  unordered: 3,
  /** A text that is `key` or comes after it. */
  textFrom: 4,
  /** A text that is `key` or comes before it. */
  textTo: 5,
  /** A text that starts with `low` characters that have the hash `key`. */
  prefix: 6,
  suffix: 7,
  /** A text with `low` characters, anywhere in it, that have the hash `key`. */
  gram: 8,
  /** An address whose first `low` bits have the hash `key`. */
  network: 9,
  /** Anything, null included. */
  present: 10,
  /** Nothing. */
  absent: 11,
  /** A list with no members. */
  empty: 12,
  /** A list with a member that fulfils the conditions of the clause `key`. */
  element: 13,
  /** That the clause `key` holds, which can only be found out by asking it. */
  asked: 14,
  /** As `prefix`, `suffix` and `gram`, of a text whose case is folded. */
  foldedPrefix: 15,
  foldedSuffix: 16,
  foldedGram: 17,
  /** As `asked`, of a clause that can only hold of what is there, of a list or of a text. */
  askedIfPresent: 18,
  askedIfList: 19,
  askedIfText: 20,
  /** Anything but a list, or nothing. */
  noList: 21,
  /** Nothing that `element` would look at. */
  noElements: 22,
  /** A list with the member `key`. It is only looked for in members of another list. */
  listed: 23,
} as const

/**
 * Something that an alert shows when a clause holds. Not the other way round: an alert may show it although the clause
 * does not hold, as two texts may have the same hash. Whoever follows a sign asks the clause in the end.
 */
export class Sign {
  readonly field: Field
  /** Shown by a member of the field's list instead of by the field. */
  readonly ofMember: boolean
  readonly shows: number
  readonly key: unknown
  readonly low: number
  readonly high: number
  /** How many patterns had the clause when it was asked for its signs. */
  uses = 0

  constructor(field: Field, ofMember: boolean, shown: number, key: unknown, low = 0, high = 0) {
    this.field = field
    this.ofMember = ofMember
    this.shows = shown
    this.key = key
    this.low = low
    this.high = high
  }

  /** Exactly those that a store holds in one place: or what one of two leaves there, the other would not find. */
  isSame(other: Sign): boolean {
    return (
      this.shows === other.shows &&
      this.field === other.field &&
      this.ofMember === other.ofMember &&
      this.key === other.key &&
      this.low === other.low &&
      this.high === other.high
    )
  }
}

/**
 * The signs of a condition. Of `any`, one of them shows when the condition holds, so a rule is to be found by each of
 * them; of `all`, all of them show, so one is enough.
 */
export type Signs = Sign | SignGroup
export interface SignGroup {
  readonly isAny: boolean
  readonly signs: readonly Signs[]
}

export const anySign = (signs: readonly Signs[]): SignGroup => ({ isAny: true, signs })
export const allSigns = (signs: readonly Signs[]): SignGroup => ({ isAny: false, signs })

/** Of what never holds. */
export const noSign: SignGroup = anySign([])

/** The signs that have been followed to some place of the index, the last one first. */
export interface Trail {
  readonly sign: Sign
  /** In how many places the pattern is held by now, at the least. */
  readonly places: number
  readonly before: Trail | undefined
}

/** Nothing new can be learned from this sign: it, or the field's whole value, is known by the trail. */
export function isKnown(sign: Sign, trail: Trail | undefined): boolean {
  for (let step = trail; step !== undefined; step = step.before) {
    const known = step.sign
    if (known.field !== sign.field) continue
    if (known.shows === shows.equal && !known.ofMember && !sign.ofMember) return true
    if (known.isSame(sign)) return true
  }
  return false
}
