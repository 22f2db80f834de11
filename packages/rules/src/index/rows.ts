const firstRows = 4

/**
 * Rows of small integers in one block of memory. Of an object, and of what it points to, each is another line for the
 * processor to fetch; a row is one, and half as many bytes. Row 0 is nobody's, so that 0 can stand for none.
 */
export class Rows {
  readonly width: number
  words: Int32Array
  #end = 1
  /** Rows given back: each names the one before it in its last word. */
  #free = 0
  size = 0

  constructor(width: number) {
    this.width = width
    this.words = new Int32Array(width * firstRows)
  }

  /** The number of a row of zeros. */
  take(): number {
    this.size++
    const row = this.#free
    if (row === 0) {
      if (this.#end * this.width === this.words.length) this.#grow()
      return this.#end++
    }
    const last = (row + 1) * this.width - 1
    this.#free = this.words[last] as number
    this.words[last] = 0
    return row
  }

  release(row: number): void {
    this.size--
    if (this.size === 0) {
      this.#end = 1
      this.#free = 0
      this.words = new Int32Array(this.width * firstRows)
      return
    }
    const next = (row + 1) * this.width
    this.words.fill(0, next - this.width, next)
    this.words[next - 1] = this.#free
    this.#free = row
  }

  /** The words from this column on up to the first 0, at most so many. */
  read(row: number, column: number, most: number): number[] {
    const { words } = this
    const first = row * this.width + column
    const read: number[] = []
    for (let at = first; at < first + most && words[at] !== 0; at++) read.push(words[at] as number)
    return read
  }

  /** Writes 0 into this column of all rows. */
  clear(column: number): void {
    for (let at = column; at < this.words.length; at += this.width) this.words[at] = 0
  }

  #grow(): void {
    const rows = this.#end
    const words = new Int32Array((rows + (rows >>> 1)) * this.width)
    words.set(this.words)
    this.words = words
  }
}
