import { spread } from './hash.ts'

/** Bits per key of the filter: with 8, one look in eight at a text that is none of ours goes on to the map. */
const bitsPerKey = 8
const smallest = 4

/** The last bits of a size take the place of as many bits of the hash. */
const sizeClasses = 64

const keyOf = (hash: number, size: number) => (spread(hash) & -sizeClasses) | (size & (sizeClasses - 1))

/**
 * What is held for pieces of texts, by size and hash. A text has as many pieces as characters, and hardly any of them
 * is asked for: a bit each in a small table answers for nearly all of them in 1 ns, where the map takes 10 to 20.
 */
export class HashedTexts<Held> {
  readonly #held = new Map<number, Held>()
  #filter = new Uint32Array(smallest)
  /**
   * The sizes that were ever asked for, ascending. None is taken back: two sizes may come to share a key, so that the
   * end of a key does not tell which size it was of.
   */
  sizes: readonly number[] = []

  get size(): number {
    return this.#held.size
  }

  get(hash: number, size: number): Held | undefined {
    const key = keyOf(hash, size)
    const word = this.#filter[(key >>> 11) & (this.#filter.length - 1)] as number
    return (word & (1 << (key >>> 6))) === 0 ? undefined : this.#held.get(key)
  }

  set(hash: number, size: number, held: Held): void {
    const key = keyOf(hash, size)
    this.#held.set(key, held)
    if (!this.sizes.includes(size)) this.sizes = [...this.sizes, size].sort((one, other) => one - other)
    if (this.#held.size * bitsPerKey > this.#filter.length * 32) this.#rebuild()
    else this.#mark(key)
  }

  delete(hash: number, size: number): void {
    this.#held.delete(keyOf(hash, size))
    // A bit may stand for several keys, so it stays until there are few enough for a smaller table.
    if (this.#filter.length > smallest && this.#held.size * bitsPerKey < this.#filter.length * 8) this.#rebuild()
  }

  all(): Iterable<Held> {
    return this.#held.values()
  }

  #mark(key: number): void {
    const at = (key >>> 11) & (this.#filter.length - 1)
    this.#filter[at] = (this.#filter[at] as number) | (1 << (key >>> 6))
  }

  #rebuild(): void {
    let length = smallest
    while (length * 32 < this.#held.size * bitsPerKey * 2) length *= 2
    this.#filter = new Uint32Array(length)
    for (const key of this.#held.keys()) this.#mark(key)
  }
}
