/**
 * The values that rules name for a field, numbered: an alert's value is looked up once, and every question whether it
 * is this or that one compares two small numbers from then on.
 */
export class FieldValues {
  readonly #ids = new Map<unknown, number>()
  readonly #values: unknown[] = [undefined]
  readonly #uses: number[] = [0]
  readonly #free: number[] = []

  /** 0 of what no rule names. */
  idOf(value: unknown): number {
    // A list or object is equal to nothing, and being looked up would have it carry a hash from then on.
    if (typeof value === 'object' && value !== null) return 0
    return this.#ids.get(value) ?? 0
  }

  /** Adds one use, which `release` takes back. */
  take(value: unknown): number {
    let id = this.#ids.get(value)
    if (id === undefined) {
      id = this.#free.pop() ?? this.#uses.length
      this.#ids.set(value, id)
      this.#values[id] = value
      this.#uses[id] = 0
    }
    this.#uses[id] = (this.#uses[id] as number) + 1
    return id
  }

  release(id: number): void {
    const uses = (this.#uses[id] as number) - 1
    this.#uses[id] = uses
    if (uses > 0) return
    this.#ids.delete(this.#values[id])
    this.#values[id] = undefined
    this.#free.push(id)
  }
}
