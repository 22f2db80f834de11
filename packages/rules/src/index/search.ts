import type { Bucket, Node } from './node.ts'
import type { Pattern } from './pattern.ts'
import type { Patterns } from './patterns.ts'

/** One alert's, or one member's, way through an index. Used again for the next: nothing is allocated per alert. */
export class Search {
  readonly #patterns: Patterns
  /** What holds, in the first `count` places. */
  readonly matched: (Pattern | undefined)[] = []
  count = 0
  /** Patterns that were found by a sign and then asked, over all alerts. */
  asked = 0

  constructor(patterns: Patterns) {
    this.#patterns = patterns
  }

  run(node: Node, root: object): void {
    this.#patterns.begin(root)
    this.count = 0
    node.visit(this)
  }

  follow(bucket: Bucket): void {
    bucket.visit(this)
  }

  consider(pattern: Pattern): void {
    const { epoch } = this.#patterns.scope
    if (pattern.considered === epoch) return
    pattern.considered = epoch
    this.asked++
    if (pattern.holds()) this.matched[this.count++] = pattern
  }
}
