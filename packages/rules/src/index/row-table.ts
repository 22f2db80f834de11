import type { Rows } from './rows.ts'

const fewestHeads = 4

/**
 * Finds rows by what they say, so that the same is kept once. A chain runs through the rows themselves: 8 bytes a row
 * where a `Map` with a text as key costs 100 and more.
 */
export class RowTable {
  readonly #rows: Rows
  readonly #hashAt: number
  readonly #nextAt: number
  #heads = new Int32Array(fewestHeads)
  size = 0

  constructor(rows: Rows, hashAt: number, nextAt: number) {
    this.#rows = rows
    this.#hashAt = hashAt
    this.#nextAt = nextAt
  }

  /** 0 if there is none. */
  find(hash: number, isSame: (row: number) => boolean): number {
    let row = this.#heads[hash & (this.#heads.length - 1)] as number
    while (row !== 0 && !(this.#hashOf(row) === hash && isSame(row))) row = this.#nextOf(row)
    return row
  }

  add(row: number): void {
    if (this.size >= this.#heads.length) this.#resize(this.#heads.length * 2)
    this.#link(row)
    this.size++
  }

  delete(row: number): void {
    const at = this.#hashOf(row) & (this.#heads.length - 1)
    let before = 0
    for (let one = this.#heads[at] as number; one !== 0 && one !== row; one = this.#nextOf(one)) before = one
    const next = this.#nextOf(row)
    if (before === 0) this.#heads[at] = next
    else this.#setNext(before, next)
    this.size--
    if (this.#heads.length > fewestHeads && this.size < this.#heads.length / 4) this.#resize(this.#heads.length / 2)
  }

  forEach(visit: (row: number) => void): void {
    for (const head of this.#heads) for (let row = head; row !== 0; row = this.#nextOf(row)) visit(row)
  }

  #hashOf(row: number): number {
    return this.#rows.words[row * this.#rows.width + this.#hashAt] as number
  }

  #nextOf(row: number): number {
    return this.#rows.words[row * this.#rows.width + this.#nextAt] as number
  }

  #setNext(row: number, next: number): void {
    this.#rows.words[row * this.#rows.width + this.#nextAt] = next
  }

  #link(row: number): void {
    const at = this.#hashOf(row) & (this.#heads.length - 1)
    this.#setNext(row, this.#heads[at] as number)
    this.#heads[at] = row
  }

  #resize(length: number): void {
    const old = this.#heads
    this.#heads = new Int32Array(length)
    for (const head of old) {
      for (let row = head; row !== 0; ) {
        const next = this.#nextOf(row)
        this.#link(row)
        row = next
      }
    }
  }
}
