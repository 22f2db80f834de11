import type { Bucket } from './buckets.ts'
import { NumberMap } from './number-map.ts'
import { edgeMark } from './text-hashes.ts'

/** Bits per hash of the filter: with 8, one look in eight at a text that is none of ours goes on to the map. */
const bitsPerHash = 8
const smallest = 4
/** In as many words or fewer, 16 bits of a hash find their place. */
const sampledWords = 2 ** 11

/**
 * What is held for pieces of texts, by their hash. A text has as many pieces as characters, and hardly any of them is
 * asked for: a bit each in a small table answers for nearly all of them in 1 ns, where the map takes 10 to 20.
 */
export class HashedTexts {
  readonly #held = new NumberMap()
  #filter = new Int32Array(smallest)
  /**
   * The sizes that were ever asked for, ascending. None is taken back: two texts may come to share a hash, so that it
   * does not tell of which size it was.
   */
  sizes: readonly number[] = []
  /** A bit for each size, those that differ by 32 sharing one. */
  #sizeBits = 0
  /** For each of the sizes, a bit for each of the edge marks. */
  marks: readonly number[] = []

  get size(): number {
    return this.#held.size
  }

  /** False if no text of this size was ever asked for. */
  mayHaveSize(size: number): boolean {
    return (this.#sizeBits & (1 << size)) !== 0
  }

  /** False if no hash ends with these 16 bits. */
  mayEndWith(sample: number): boolean {
    if (this.#filter.length > sampledWords) return true
    return ((this.#filter[(sample >>> 5) & (this.#filter.length - 1)] as number) & (1 << sample)) !== 0
  }

  get(hash: number): Bucket {
    const word = this.#filter[(hash >>> 5) & (this.#filter.length - 1)] as number
    return (word & (1 << hash)) === 0 ? 0 : this.#held.get(hash)
  }

  set(hash: number, size: number, bucket: Bucket): void {
    this.#held.set(hash, bucket)
    this.#sizeBits |= 1 << size
    this.#addSize(size)
    const index = this.sizes.indexOf(size)
    this.marks = this.marks.with(index, (this.marks[index] as number) | (1 << edgeMark(hash)))
    if (this.#held.size * bitsPerHash > this.#filter.length * 32) this.#rebuild()
    else this.#mark(hash)
  }

  delete(hash: number): void {
    this.#held.delete(hash)
    // A bit may stand for several hashes, so it stays until there are few enough for a smaller table.
    if (this.#filter.length > smallest && this.#held.size * bitsPerHash < this.#filter.length * 8) this.#rebuild()
  }

  all(): Iterable<Bucket> {
    return this.#held.buckets()
  }

  #addSize(size: number): void {
    if (this.sizes.includes(size)) return
    const larger = this.sizes.findIndex(one => one > size)
    const index = larger === -1 ? this.sizes.length : larger
    this.sizes = this.sizes.toSpliced(index, 0, size)
    this.marks = this.marks.toSpliced(index, 0, 0)
  }

  #mark(hash: number): void {
    const at = (hash >>> 5) & (this.#filter.length - 1)
    this.#filter[at] = (this.#filter[at] as number) | (1 << hash)
  }

  #rebuild(): void {
    let length = smallest
    while (length * 32 < this.#held.size * bitsPerHash * 2) length *= 2
    this.#filter = new Int32Array(length)
    for (const hash of this.#held.keys()) this.#mark(hash)
  }
}
