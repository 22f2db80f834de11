import type { Signs } from './sign.ts'

/**
 * So many: a list that becomes a node asks for the signs of each of its patterns, and where thousands of values do, each
 * of them asks for the same few again.
 */
const mostRecent = 16

/** The signs of the last few patterns that were asked for them. */
export class RecentSigns {
  readonly #patterns = new Int32Array(mostRecent)
  readonly #signs = new Array<Signs | undefined>(mostRecent).fill(undefined)
  #oldest = 0

  get(pattern: number): Signs | undefined {
    return this.#signs[this.#patterns.indexOf(pattern)]
  }

  add(pattern: number, signs: Signs): void {
    this.#patterns[this.#oldest] = pattern
    this.#signs[this.#oldest] = signs
    this.#oldest = (this.#oldest + 1) % mostRecent
  }

  delete(pattern: number): void {
    const at = this.#patterns.indexOf(pattern)
    if (at < 0) return
    this.#patterns[at] = 0
    this.#signs[at] = undefined
  }
}
