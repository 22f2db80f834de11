/** What a table keeps. The table owns `next`. */
export interface Interned<Item> {
  readonly hash: number
  next: Item | undefined
}

/**
 * One object for all that are the same. A chain runs through the items themselves, which costs 16 to 24 bytes an item
 * where a `Map` with a text as key costs 100 and more.
 */
export class InternTable<Item extends Interned<Item>> {
  #heads: (Item | undefined)[] = [undefined]
  size = 0

  find(hash: number, isSame: (item: Item) => boolean): Item | undefined {
    let item = this.#heads[hash & (this.#heads.length - 1)]
    while (item !== undefined && !(item.hash === hash && isSame(item))) item = item.next
    return item
  }

  add(item: Item): void {
    if (this.size >= this.#heads.length) this.#resize(this.#heads.length * 2)
    this.#link(item)
    this.size++
  }

  delete(item: Item): void {
    const at = item.hash & (this.#heads.length - 1)
    let before: Item | undefined
    for (let one = this.#heads[at]; one !== undefined && one !== item; one = one.next) before = one
    if (before === undefined) this.#heads[at] = item.next
    else before.next = item.next
    item.next = undefined
    this.size--
    if (this.#heads.length > 1 && this.size < this.#heads.length / 4) this.#resize(this.#heads.length / 2)
  }

  forEach(visit: (item: Item) => void): void {
    for (const head of this.#heads) for (let item = head; item !== undefined; item = item.next) visit(item)
  }

  #link(item: Item): void {
    const at = item.hash & (this.#heads.length - 1)
    item.next = this.#heads[at]
    this.#heads[at] = item
  }

  #resize(length: number): void {
    const old = this.#heads
    this.#heads = new Array<Item | undefined>(length).fill(undefined)
    for (const head of old) {
      for (let item = head; item !== undefined; ) {
        const { next } = item
        this.#link(item)
        item = next
      }
    }
  }
}
