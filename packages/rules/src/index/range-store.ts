import type { Bucket } from './buckets.ts'
import { orderedNumber } from './range-signs.ts'
import { type Sign, shows } from './sign.ts'
import type { Follower, SignStore } from './sign-store.ts'

/** One range that rules ask for, and all below it. */
class Interval {
  readonly low: number
  readonly high: number
  /** The highest end in this part of the tree. */
  highest: number
  /** Random, and a parent's is above its children's: that alone keeps the tree shallow, whatever the order of adding. */
  readonly rank: number
  held: Bucket
  left: Interval | undefined = undefined
  right: Interval | undefined = undefined

  constructor(low: number, high: number, rank: number, held: Bucket) {
    this.low = low
    this.high = high
    this.highest = high
    this.rank = rank
    this.held = held
  }

  comesBefore(low: number, high: number): boolean {
    return this.low < low || (this.low === low && this.high < high)
  }

  update(): this {
    const { left, right } = this
    let highest = this.high
    if (left !== undefined && left.highest > highest) highest = left.highest
    if (right !== undefined && right.highest > highest) highest = right.highest
    this.highest = highest
    return this
  }
}

/** Finds all ranges that a number lies in, in a time that depends on how many those are rather than on how many there are. */
export class RangeStore implements SignStore {
  readonly shows = shows.range
  #root: Interval | undefined
  #rank = 1

  get isEmpty(): boolean {
    return this.#root === undefined
  }

  get({ low, high }: Sign): Bucket {
    return this.#find(low, high)?.held ?? 0
  }

  set({ low, high }: Sign, held: Bucket): void {
    const interval = this.#find(low, high)
    if (interval !== undefined) {
      interval.held = held
      return
    }
    // A linear congruence: repeatable, and random enough for a balance.
    this.#rank = (Math.imul(this.#rank, 0x41c64e6d) + 12_345) | 0
    this.#root = insert(this.#root, new Interval(low, high, this.#rank, held))
  }

  delete({ low, high }: Sign): void {
    if (this.#find(low, high) !== undefined) this.#root = remove(this.#root as Interval, low, high)
  }

  visit(found: unknown, follower: Follower): void {
    const value = orderedNumber(found)
    if (this.#root !== undefined && !Number.isNaN(value)) visit(this.#root, value, follower)
  }

  all(): Iterable<Bucket> {
    const held: Bucket[] = []
    collect(this.#root, held)
    return held
  }

  #find(low: number, high: number): Interval | undefined {
    let at = this.#root
    while (at !== undefined && !(at.low === low && at.high === high))
      at = at.comesBefore(low, high) ? at.right : at.left
    return at
  }
}

function visit(at: Interval, value: number, follower: Follower): void {
  const { left, right } = at
  if (left !== undefined && left.highest >= value) visit(left, value, follower)
  if (at.low > value) return
  if (at.high >= value) follower.follow(at.held)
  if (right !== undefined && right.highest >= value) visit(right, value, follower)
}

function collect(at: Interval | undefined, into: Bucket[]): void {
  if (at === undefined) return
  collect(at.left, into)
  into.push(at.held)
  collect(at.right, into)
}

function insert(at: Interval | undefined, one: Interval): Interval {
  if (at === undefined) return one
  if (one.rank > at.rank) {
    const [before, after] = split(at, one)
    one.left = before
    one.right = after
    return one.update()
  }
  if (at.comesBefore(one.low, one.high)) at.right = insert(at.right, one)
  else at.left = insert(at.left, one)
  return at.update()
}

type Half = Interval | undefined

function split(at: Half, by: Interval): [Half, Half] {
  if (at === undefined) return [undefined, undefined]
  if (at.comesBefore(by.low, by.high)) {
    const [before, after] = split(at.right, by)
    at.right = before
    return [at.update(), after]
  }
  const [before, after] = split(at.left, by)
  at.left = after
  return [before, at.update()]
}

function remove(at: Interval, low: number, high: number): Half {
  if (at.low === low && at.high === high) return join(at.left, at.right)
  if (at.comesBefore(low, high)) at.right = remove(at.right as Interval, low, high)
  else at.left = remove(at.left as Interval, low, high)
  return at.update()
}

function join(left: Half, right: Half): Half {
  if (left === undefined) return right
  if (right === undefined) return left
  if (left.rank > right.rank) {
    left.right = join(left.right, right)
    return left.update()
  }
  right.left = join(left, right.left)
  return right.update()
}
