import type { Buckets } from './buckets.ts'
import { cheapestCover, forEachSign, likelihood, withoutRepeats } from './cover.ts'
import { FieldIndex } from './field-index.ts'
import { FieldSet } from './field-set.ts'
import { RestList } from './rest-list.ts'
import type { Search } from './search.ts'
import { isKnown, type Sign, type Signs, shows, type Trail } from './sign.ts'

/** A share says little in a node with fewer patterns. */
const crowded = 16

/**
 * Patterns by their signs. Each is held for the signs of its cheapest cover, so that whoever follows all signs of an
 * alert meets every pattern that holds for it, and few others. A node looks only at the fields that it holds signs of.
 */
export class Node {
  readonly buckets: Buckets
  readonly #fields = new FieldSet()
  /** Patterns without a sign, or without one that the way here has not followed yet. */
  readonly #rest = new RestList()
  size = 0

  constructor(buckets: Buckets) {
    this.buckets = buckets
  }

  add(pattern: number, signs: Signs, trail?: Trail): void {
    const cover = cheapestCover(signs, trail, sign => this.#costOf(sign))
    const found = withoutRepeats(cover?.signs ?? [])
    // What never holds need not be found.
    if (cover !== undefined && found.length === 0) return
    this.size++
    if (cover === undefined) this.#rest.add(pattern)
    const places = (trail?.places ?? 1) * found.length
    for (const sign of found) this.#hold(pattern, signs, { sign, places, before: trail })
  }

  /** Looks behind every sign that the pattern has: which of them it is held for depends on what was known then. */
  remove(pattern: number, signs: Signs, trail?: Trail): void {
    let isFound = this.#rest.delete(pattern)
    if (!isFound && !this.#fields.isEmpty) {
      forEachSign(signs, sign => {
        if (!isKnown(sign, trail) && this.#release(pattern, signs, sign, trail)) isFound = true
      })
    }
    if (isFound) this.size--
  }

  visit(search: Search): void {
    this.#fields.visit(search)
    const rest = this.#rest.patterns
    for (let at = 0; at < rest.length; at++) search.consider(rest[at] as number)
  }

  get fieldCount(): number {
    return this.#fields.size
  }

  collect(into: Set<number>): void {
    for (const pattern of this.#rest.patterns) into.add(pattern)
    for (const field of this.#fields.all()) for (const bucket of field.buckets()) this.buckets.collect(bucket, into)
  }

  /** Gives back what its signs lead to; it is not used any more. */
  clear(): void {
    for (const field of this.#fields.all()) {
      for (const bucket of field.buckets()) this.buckets.delete(bucket)
      field.clear()
    }
  }

  #hold(pattern: number, signs: Signs, trail: Trail): void {
    const { sign } = trail
    let index = this.#fields.get(sign.field)
    if (index === undefined) {
      index = new FieldIndex(sign.field)
      this.#fields.add(index)
    }
    const bucket = index.get(sign)
    const next = this.buckets.add(bucket, pattern, signs, trail)
    if (next === bucket) return
    index.set(sign, next)
    this.#fields.update(index)
  }

  #release(pattern: number, signs: Signs, sign: Sign, trail: Trail | undefined): boolean {
    const index = this.#fields.get(sign.field)
    const bucket = index?.get(sign) ?? 0
    if (index === undefined || bucket === 0) return false
    const before = this.buckets.size(bucket)
    const next = this.buckets.remove(bucket, pattern, signs, { sign, places: 1, before: trail })
    if (next !== 0) {
      if (next !== bucket) index.set(sign, next)
      return this.buckets.size(next) < before
    }
    index.delete(sign)
    if (index.isEmpty) this.#fields.delete(index)
    else this.#fields.update(index)
    return true
  }

  #costOf(sign: Sign): number {
    const index = this.#fields.get(sign.field)
    const bucket = index?.get(sign) ?? 0
    const opening = bucket !== 0 || index?.has(sign) ? 0 : openingCost(sign)
    // What many rules ask for is what many alerts show.
    const popularity = sign.uses / (this.buckets.patternCount + crowded)
    // Of the windows of one text, it is the one that few others have.
    const crowd = this.buckets.size(bucket) / (this.size + crowded)
    return Math.max(likelihood(sign), popularity) + opening + crowd
  }
}

/** What it costs all alerts that a node looks at one more thing, against what 1 is: asking one pattern each time. */
function openingCost(sign: Sign): number {
  if (sign.shows === shows.equal) return 0.1
  return sign.shows === shows.gram ? 0.3 : 0.15
}
