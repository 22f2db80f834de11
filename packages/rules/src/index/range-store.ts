import type { Bucket } from './buckets.ts'
import { orderedNumber } from './range-signs.ts'
import { type Sign, shows } from './sign.ts'
import type { Follower, SignStore } from './sign-store.ts'
import { Branch, find, forEach, insert, remove } from './sorted-tree.ts'

/** One range that rules ask for, and all below it. */
class Interval extends Branch<Interval> {
  readonly low: number
  readonly high: number
  /** The highest end in this part of the tree. */
  highest: number
  held: Bucket

  constructor({ low, high }: Sign, held: Bucket = 0) {
    super()
    this.low = low
    this.high = high
    this.highest = high
    this.held = held
  }

  comesBefore({ low, high }: Interval): boolean {
    return this.low < low || (this.low === low && this.high < high)
  }

  override update(): void {
    super.update()
    const { left, right } = this
    let highest = this.high
    if (left !== undefined && left.highest > highest) highest = left.highest
    if (right !== undefined && right.highest > highest) highest = right.highest
    this.highest = highest
  }
}

/** Finds all ranges that a number lies in, in a time that depends on how many those are rather than on how many there are. */
export class RangeStore implements SignStore {
  readonly shows = shows.range
  #root: Interval | undefined

  get isEmpty(): boolean {
    return this.#root === undefined
  }

  get(sign: Sign): Bucket {
    return find(this.#root, new Interval(sign))?.held ?? 0
  }

  set(sign: Sign, held: Bucket): void {
    const interval = new Interval(sign, held)
    const known = find(this.#root, interval)
    if (known !== undefined) known.held = held
    else this.#root = insert(this.#root, interval)
  }

  delete(sign: Sign): void {
    const interval = find(this.#root, new Interval(sign))
    if (interval !== undefined) this.#root = remove(this.#root as Interval, interval)
  }

  visit(found: unknown, follower: Follower): void {
    const value = orderedNumber(found)
    if (this.#root !== undefined && !Number.isNaN(value)) visit(this.#root, value, follower)
  }

  all(): Iterable<Bucket> {
    const held: Bucket[] = []
    forEach(this.#root, interval => held.push(interval.held))
    return held
  }
}

function visit(at: Interval, value: number, follower: Follower): void {
  const { left, right } = at
  if (left !== undefined && left.highest >= value) visit(left, value, follower)
  if (at.low > value) return
  if (at.high >= value) follower.follow(at.held)
  if (right !== undefined && right.highest >= value) visit(right, value, follower)
}
