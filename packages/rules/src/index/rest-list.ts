/** Up to this many patterns, one is found by walking past the others. */
const mostWalked = 32

/** Patterns that are all asked, in no particular order. */
export class RestList {
  readonly patterns: number[] = []
  /** Where each of them is, when they are many: a hundred thousand may have the same signs. */
  #positions: Map<number, number> | undefined

  add(pattern: number): void {
    this.#positions?.set(pattern, this.patterns.length)
    this.patterns.push(pattern)
    if (this.patterns.length <= mostWalked) return
    this.#positions ??= new Map(this.patterns.map((one, at) => [one, at]))
  }

  /** Returns false if it is not there. */
  delete(pattern: number): boolean {
    const { patterns } = this
    const at = this.#positions === undefined ? patterns.indexOf(pattern) : (this.#positions.get(pattern) ?? -1)
    if (at === -1) return false
    // The order tells nothing, so the last takes the place.
    const last = patterns.pop() as number
    this.#positions?.set(last, at)
    this.#positions?.delete(pattern)
    if (last !== pattern) patterns[at] = last
    if (patterns.length <= mostWalked / 2) this.#positions = undefined
    return true
  }
}
