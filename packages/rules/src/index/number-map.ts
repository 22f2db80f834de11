import type { Bucket } from './buckets.ts'

const fewest = 4

/**
 * Where a key is looked for first. Neither numbers in a row nor those with the same last bits come to lie side by side:
 * whatever is looked for in vain, or taken out, has to do with all that follow without a gap.
 */
const homeOf = (key: number) => Math.imul(key ^ (key >>> 15), 0x2c1b3c6d) << 1

/** Buckets by numbers, side by side in one block: what a `Map` keeps in three places, to be fetched one after the other. */
export class NumberMap {
  /** A key, then its bucket, which is 0 where the place is free. */
  #pairs = new Int32Array(fewest * 2)
  size = 0

  /** 0 if there is nothing. */
  get(key: number): Bucket {
    const pairs = this.#pairs
    const mask = pairs.length - 1
    for (let at = homeOf(key) & mask; ; at = (at + 2) & mask) {
      const bucket = pairs[at + 1] as Bucket
      if (bucket === 0 || pairs[at] === key) return bucket
    }
  }

  set(key: number, bucket: Bucket): void {
    if (this.#put(key, bucket)) this.size++
    if (this.size * 8 > this.#pairs.length * 3) this.#resize(this.#pairs.length * 2)
  }

  delete(key: number): void {
    const at = this.#find(key)
    if (this.#pairs[at + 1] === 0) return
    this.size--
    this.#pairs[at + 1] = 0
    const { length } = this.#pairs
    if (length > fewest * 2 && this.size * 16 < length) this.#resize(length / 2)
    else this.#closeGap(at)
  }

  keys(): number[] {
    return [...this.#pairs].filter((_, at, pairs) => at % 2 === 0 && pairs[at + 1] !== 0)
  }

  buckets(): Bucket[] {
    return [...this.#pairs].filter((bucket, at) => at % 2 === 1 && bucket !== 0)
  }

  /** Where the key is, or would be. */
  #find(key: number): number {
    const pairs = this.#pairs
    const mask = pairs.length - 1
    let at = homeOf(key) & mask
    while (pairs[at + 1] !== 0 && pairs[at] !== key) at = (at + 2) & mask
    return at
  }

  #put(key: number, bucket: Bucket): boolean {
    const at = this.#find(key)
    const isNew = this.#pairs[at + 1] === 0
    this.#pairs[at] = key
    this.#pairs[at + 1] = bucket
    return isNew
  }

  /** What had to step aside, in the places that follow, comes nearer. */
  #closeGap(gap: number): void {
    const mask = this.#pairs.length - 1
    for (let at = (gap + 2) & mask; this.#pairs[at + 1] !== 0; at = (at + 2) & mask) {
      const [key, bucket] = [this.#pairs[at] as number, this.#pairs[at + 1] as Bucket]
      this.#pairs[at + 1] = 0
      this.#put(key, bucket)
    }
  }

  #resize(length: number): void {
    const old = this.#pairs
    this.#pairs = new Int32Array(length)
    for (let at = 0; at < old.length; at += 2)
      if (old[at + 1] !== 0) this.#put(old[at] as number, old[at + 1] as Bucket)
  }
}
