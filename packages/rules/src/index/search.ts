import type { Bucket, Buckets } from './buckets.ts'
import type { Node } from './node.ts'
import type { Patterns } from './patterns.ts'

/** Of an alert that many more rules hold for, the room is given back: there may never be another. */
const mostKept = 4_096

/** One alert's, or one member's, way through an index. Used again for the next: nothing is allocated per alert. */
export class Search {
  readonly #patterns: Patterns
  #buckets: Buckets | undefined
  /** What holds, in the first `count` places. */
  readonly matched: number[] = []
  count = 0

  constructor(patterns: Patterns) {
    this.#patterns = patterns
  }

  run(node: Node, root: object): void {
    this.#patterns.begin(root)
    this.count = 0
    this.#buckets = node.buckets
    node.visit(this)
  }

  /** What has been found is not needed any more. */
  end(): void {
    if (this.matched.length > mostKept) this.matched.length = 0
  }

  follow(bucket: Bucket): void {
    ;(this.#buckets as Buckets).visit(bucket, this)
  }

  consider(pattern: number): void {
    if (!this.#patterns.isNew(pattern)) return
    if (this.#patterns.holds(pattern)) this.matched[this.count++] = pattern
  }
}
