import { cheapestCover, forEachSign, likelihood, withoutRepeats } from './cover.ts'
import { FieldIndex } from './field-index.ts'
import { FieldSet } from './field-set.ts'
import { Pattern } from './pattern.ts'
import { signsOfPattern } from './pattern-signs.ts'
import type { Search } from './search.ts'
import { isKnown, type Sign, type Signs, shows, type Trail } from './sign.ts'

/** What a sign leads to: one pattern, a few, or a node that tells many apart by their other signs. */
export type Bucket = Pattern | PatternList | Node

/** A few patterns behind one sign. An array itself rather than with an array in it: one thing less to fetch. */
class PatternList extends Array<Pattern> {
  get size(): number {
    return this.length
  }

  visit(search: Search): void {
    for (let at = 0; at < this.length; at++) search.consider(this[at] as Pattern)
  }

  collect(into: Set<Pattern>): void {
    for (const pattern of this) into.add(pattern)
  }
}

/** More patterns than this behind one sign get a node. Asking them one by one is 10 to 20 ns each, a node's field 30. */
const mostInList = 8
/** A share says little in a node with fewer patterns. */
const crowded = 16
/** A node with as few patterns becomes a list again. */
const fewestInNode = 4

/**
 * Patterns by their signs. Each is held for the signs of its cheapest cover, so that whoever follows all signs of an
 * alert meets every pattern that holds for it, and few others. A node looks only at the fields that it holds signs of.
 */
export class Node {
  readonly #fields = new FieldSet()
  /** Patterns without a sign, or without one that the way here has not followed yet. */
  #rest: Pattern[] = []
  size = 0

  add(pattern: Pattern, signs: Signs, trail?: Trail): void {
    this.size++
    const cover = cheapestCover(signs, trail, sign => this.#costOf(sign))
    if (cover === undefined) {
      this.#rest.push(pattern)
      return
    }
    const found = withoutRepeats(cover.signs)
    const places = (trail?.places ?? 1) * found.length
    for (const sign of found) this.#hold(pattern, signs, { sign, places, before: trail })
  }

  /** Looks behind every sign that the pattern has: which of them it is held for depends on what was known then. */
  remove(pattern: Pattern, signs: Signs, trail?: Trail): void {
    let isFound = removeFrom(this.#rest, pattern)
    if (!isFound && !this.#fields.isEmpty) {
      forEachSign(signs, sign => {
        if (!isKnown(sign, trail) && this.#release(pattern, signs, sign, trail)) isFound = true
      })
    }
    if (isFound) this.size--
  }

  visit(search: Search): void {
    this.#fields.visit(search)
    const rest = this.#rest
    for (let at = 0; at < rest.length; at++) search.consider(rest[at] as Pattern)
  }

  get fieldCount(): number {
    return this.#fields.size
  }

  collect(into: Set<Pattern>): void {
    for (const pattern of this.#rest) into.add(pattern)
    for (const field of this.#fields.all()) for (const bucket of field.buckets()) bucket.collect(into)
  }

  #hold(pattern: Pattern, signs: Signs, trail: Trail): void {
    const { sign } = trail
    let index = this.#fields.get(sign.field)
    if (index === undefined) {
      index = new FieldIndex(sign.field)
      this.#fields.add(index)
    }
    const bucket = index.get(sign)
    const next = bucket === undefined ? pattern : addTo(bucket, pattern, signs, trail)
    if (next === bucket) return
    index.set(sign, next)
    this.#fields.update(index)
  }

  #release(pattern: Pattern, signs: Signs, sign: Sign, trail: Trail | undefined): boolean {
    const index = this.#fields.get(sign.field)
    const bucket = index?.get(sign)
    if (index === undefined || bucket === undefined) return false
    const before = bucket.size
    const next = removeFromBucket(bucket, pattern, signs, { sign, places: 1, before: trail })
    if (next !== undefined) {
      if (next !== bucket) index.set(sign, next)
      return next.size < before
    }
    index.delete(sign)
    if (index.isEmpty) this.#fields.delete(index)
    else this.#fields.update(index)
    return true
  }

  #costOf(sign: Sign): number {
    const index = this.#fields.get(sign.field)
    const opening = index?.has(sign) ? 0 : openingCost(sign)
    // What many rules ask for is what many alerts show. Of the windows of one text, it is the one that few others have.
    const crowd = (index?.get(sign)?.size ?? 0) / (this.size + crowded)
    return likelihood(sign) + opening + crowd
  }
}

/** What it costs all alerts that a node looks at one more thing, against what 1 is: asking one pattern each time. */
function openingCost(sign: Sign): number {
  if (sign.shows === shows.equal) return 0.1
  return sign.shows === shows.gram ? 0.3 : 0.15
}

function addTo(bucket: Bucket, pattern: Pattern, signs: Signs, trail: Trail): Bucket {
  if (bucket instanceof Pattern) return PatternList.of(bucket, pattern) as PatternList
  if (bucket instanceof Node) {
    bucket.add(pattern, signs, trail)
    return bucket
  }
  if (bucket.size < mostInList) return PatternList.of(...bucket, pattern) as PatternList
  const node = new Node()
  for (const one of bucket) node.add(one, signsOfPattern(one), trail)
  node.add(pattern, signs, trail)
  return node
}

function removeFromBucket(bucket: Bucket, pattern: Pattern, signs: Signs, trail: Trail): Bucket | undefined {
  if (bucket instanceof Pattern) return bucket === pattern ? undefined : bucket
  if (bucket instanceof PatternList) {
    return bucket.includes(pattern) ? listOf([...bucket].filter(one => one !== pattern)) : bucket
  }
  bucket.remove(pattern, signs, trail)
  if (bucket.size > fewestInNode) return bucket
  const left = new Set<Pattern>()
  bucket.collect(left)
  return listOf([...left])
}

const listOf = (patterns: readonly Pattern[]): Bucket | undefined =>
  patterns.length > 1 ? (PatternList.of(...patterns) as PatternList) : patterns[0]

function removeFrom(list: Pattern[], pattern: Pattern): boolean {
  const at = list.indexOf(pattern)
  if (at === -1) return false
  // The order tells nothing, so the last takes the place.
  const last = list.pop() as Pattern
  if (last !== pattern) list[at] = last
  return true
}
