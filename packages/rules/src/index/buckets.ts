import { narrowed, narrowedByTrail } from './narrow.ts'
import { Node } from './node.ts'
import { mostInList, PatternLists } from './pattern-lists.ts'
import { signsOfPattern } from './pattern-signs.ts'
import type { Patterns } from './patterns.ts'
import type { Search } from './search.ts'
import type { Signs, Trail } from './sign.ts'
import { Slots } from './slots.ts'

/**
 * What a sign leads to: one pattern, a few, or a node that tells many apart by their other signs. A number that is never
 * 0, the last two bits of which say which of these.
 */
export type Bucket = number

const kinds = { pattern: 0, short: 1, long: 2, node: 3 } as const

const mostInShort = 4
/** A node with as few patterns becomes a list again. */
const fewestInNode = 4

/** All buckets of one index. */
export class Buckets {
  readonly #patterns: Patterns
  readonly #short = new PatternLists(mostInShort)
  readonly #long = new PatternLists(mostInList)
  readonly #nodes = new Slots<Node>()

  constructor(patterns: Patterns) {
    this.#patterns = patterns
  }

  /** How many patterns there are, held or about to be. */
  get patternCount(): number {
    return this.#patterns.size
  }

  visit(bucket: Bucket, search: Search): void {
    switch (bucket & 3) {
      case kinds.pattern:
        search.consider(bucket >>> 2)
        return
      case kinds.short:
        this.#short.visit(bucket >>> 2, search)
        return
      case kinds.long:
        this.#long.visit(bucket >>> 2, search)
        return
      default:
        this.#node(bucket).visit(search)
    }
  }

  size(bucket: Bucket): number {
    switch (bucket & 3) {
      case kinds.pattern:
        return bucket === 0 ? 0 : 1
      case kinds.short:
        return this.#short.size(bucket >>> 2)
      case kinds.long:
        return this.#long.size(bucket >>> 2)
      default:
        return this.#node(bucket).size
    }
  }

  collect(bucket: Bucket, into: Set<number>): void {
    if ((bucket & 3) === kinds.node) this.#node(bucket).collect(into)
    else for (const pattern of this.#list(bucket)) into.add(pattern)
  }

  /**
   * The bucket with one more pattern: this one, or one that takes its place. 0 is one with none. The signs are what the way
   * here has left of them.
   */
  add(bucket: Bucket, pattern: number, signs: Signs, trail: Trail): Bucket {
    if (bucket === 0) return this.#of([pattern])
    if ((bucket & 3) === kinds.node) {
      this.#node(bucket).add(pattern, narrowed(signs, trail.sign), trail)
      return bucket
    }
    const patterns = this.#list(bucket)
    this.#release(bucket)
    if (patterns.length < mostInList) return this.#of([...patterns, pattern])
    const node = new Node(this)
    for (const one of patterns) node.add(one, narrowedByTrail(signsOfPattern(this.#patterns, one), trail), trail)
    node.add(pattern, narrowed(signs, trail.sign), trail)
    return (this.#nodes.take(node) << 2) | kinds.node
  }

  /** The same for one pattern less. */
  remove(bucket: Bucket, pattern: number, signs: Signs, trail: Trail): Bucket {
    if ((bucket & 3) !== kinds.node) {
      const patterns = this.#list(bucket)
      if (!patterns.includes(pattern)) return bucket
      this.#release(bucket)
      return this.#of(patterns.filter(one => one !== pattern))
    }
    const node = this.#node(bucket)
    node.remove(pattern, signs, trail)
    if (node.size > fewestInNode) return bucket
    const left = new Set<number>()
    node.collect(left)
    node.clear()
    this.#release(bucket)
    return this.#of([...left])
  }

  /** And all that it leads to. */
  delete(bucket: Bucket): void {
    if ((bucket & 3) === kinds.node) this.#node(bucket).clear()
    this.#release(bucket)
  }

  #of(patterns: readonly number[]): Bucket {
    if (patterns.length < 2) return (patterns[0] ?? 0) << 2
    if (patterns.length <= mostInShort) return (this.#short.add(patterns) << 2) | kinds.short
    return (this.#long.add(patterns) << 2) | kinds.long
  }

  #list(bucket: Bucket): readonly number[] {
    const kind = bucket & 3
    if (kind === kinds.pattern) return [bucket >>> 2]
    return (kind === kinds.short ? this.#short : this.#long).get(bucket >>> 2)
  }

  #node(bucket: Bucket): Node {
    return this.#nodes.items[bucket >>> 2] as Node
  }

  /** Its own place, not that of what it leads to. */
  #release(bucket: Bucket): void {
    const kind = bucket & 3
    if (kind === kinds.short) this.#short.delete(bucket >>> 2)
    else if (kind === kinds.long) this.#long.delete(bucket >>> 2)
    else if (kind === kinds.node) this.#nodes.release(bucket >>> 2)
  }
}
