import type { Bucket } from './buckets.ts'
import { NumberMap } from './number-map.ts'
import { edgeMark } from './text-hashes.ts'

/** Bits per hash of the filter: with 8, one look in eight at a text that is none of ours goes on to the map. */
const bitsPerHash = 8
const smallest = 4
/** In as many words or fewer, 16 bits of a hash find their place. */
const sampledWords = 2 ** 11

/**
 * What is held for pieces of texts, by their size and hash. A text has as many pieces as characters, and hardly any of
 * them is asked for: a bit each in a small table answers for nearly all of them in 1 ns, where the map takes 10 to 20.
 */
export class HashedTexts {
  /** For each of the sizes. Pieces of two sizes may have one hash, and signs of them are two. */
  readonly #held: NumberMap[] = []
  #filter = new Int32Array(smallest)
  /** The sizes that are asked for, ascending. */
  readonly sizes: number[] = []
  /** For each of the sizes, a bit for each of the edge marks. */
  readonly marks: number[] = []
  /** A bit for each size, those that differ by 32 sharing one. */
  #sizeBits = 0
  #count = 0

  get isEmpty(): boolean {
    return this.#count === 0
  }

  /** False if no text of this size is asked for. */
  mayHaveSize(size: number): boolean {
    return (this.#sizeBits & (1 << size)) !== 0
  }

  /** False if no hash ends with these 16 bits. */
  mayEndWith(sample: number): boolean {
    if (this.#filter.length > sampledWords) return true
    return ((this.#filter[(sample >>> 5) & (this.#filter.length - 1)] as number) & (1 << sample)) !== 0
  }

  get(hash: number, size: number): Bucket {
    return this.#mayHave(hash) ? (this.#held[this.sizes.indexOf(size)]?.get(hash) ?? 0) : 0
  }

  /** The same for the size in this place among the sizes. */
  getAt(index: number, hash: number): Bucket {
    return this.#mayHave(hash) ? (this.#held[index] as NumberMap).get(hash) : 0
  }

  set(hash: number, size: number, bucket: Bucket): void {
    const index = this.#open(size)
    const held = this.#held[index] as NumberMap
    const before = held.size
    held.set(hash, bucket)
    if (held.size === before) return
    this.#count++
    this.marks[index] = (this.marks[index] as number) | (1 << edgeMark(hash))
    if (this.#count * bitsPerHash > this.#filter.length * 32) this.#rebuild()
    else this.#mark(hash)
  }

  delete(hash: number, size: number): void {
    const index = this.sizes.indexOf(size)
    const held = this.#held[index]
    const before = held?.size ?? 0
    held?.delete(hash)
    if (held === undefined || held.size === before) return
    this.#count--
    if (held.size === 0) this.#close(index)
    // A bit may stand for several hashes, so it stays until there are few enough for a smaller table.
    if (this.#filter.length > smallest && this.#count * bitsPerHash < this.#filter.length * 8) this.#rebuild()
  }

  all(): Iterable<Bucket> {
    return this.#held.flatMap(held => held.buckets())
  }

  #open(size: number): number {
    const { sizes } = this
    let index = 0
    while (index < sizes.length && (sizes[index] as number) < size) index++
    if (sizes[index] === size) return index
    sizes.splice(index, 0, size)
    this.marks.splice(index, 0, 0)
    this.#held.splice(index, 0, new NumberMap())
    this.#sizeBits |= 1 << size
    return index
  }

  #close(index: number): void {
    for (const list of [this.sizes, this.marks, this.#held]) list.splice(index, 1)
    this.#sizeBits = this.sizes.reduce((bits, size) => bits | (1 << size), 0)
  }

  #mayHave(hash: number): boolean {
    return ((this.#filter[(hash >>> 5) & (this.#filter.length - 1)] as number) & (1 << hash)) !== 0
  }

  #mark(hash: number): void {
    const at = (hash >>> 5) & (this.#filter.length - 1)
    this.#filter[at] = (this.#filter[at] as number) | (1 << hash)
  }

  #rebuild(): void {
    let length = smallest
    while (length * 32 < this.#count * bitsPerHash * 2) length *= 2
    this.#filter = new Int32Array(length)
    for (const held of this.#held) for (const hash of held.keys()) this.#mark(hash)
  }
}
