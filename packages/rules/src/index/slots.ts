/** Objects by small numbers, from 1 on. A number that is given back is given again. */
export class Slots<Item> {
  readonly items: (Item | undefined)[] = [undefined]
  readonly #free: number[] = []

  take(item: Item): number {
    const at = this.#free.pop() ?? this.items.length
    this.items[at] = item
    return at
  }

  release(at: number): void {
    this.items[at] = undefined
    this.#free.push(at)
    if (this.#free.length < this.items.length - 1) return
    this.#free.length = 0
    this.items.length = 1
  }
}
