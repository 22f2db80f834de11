import { Rows } from './rows.ts'

/** More patterns than this behind one sign get a node. Asking them one by one is 10 to 20 ns each, a node's field 30. */
export const mostInList = 8

/** Lists of a few patterns, all with as many places: those left over are 0. */
export class PatternLists {
  readonly #rows: Rows
  readonly #places: number

  constructor(places: number) {
    this.#rows = new Rows(places)
    this.#places = places
  }

  add(patterns: readonly number[]): number {
    const list = this.#rows.take()
    this.#rows.words.set(patterns, list * this.#places)
    return list
  }

  delete(list: number): void {
    this.#rows.release(list)
  }

  get(list: number): readonly number[] {
    return this.#rows.read(list, 0, this.#places)
  }

  size(list: number): number {
    const { words } = this.#rows
    const first = list * this.#places
    let size = 0
    while (size < this.#places && words[first + size] !== 0) size++
    return size
  }

  visit(list: number, search: { consider(pattern: number): void }): void {
    const { words } = this.#rows
    const first = list * this.#places
    for (let at = first; at < first + this.#places; at++) {
      const pattern = words[at] as number
      if (pattern === 0) return
      search.consider(pattern)
    }
  }
}
