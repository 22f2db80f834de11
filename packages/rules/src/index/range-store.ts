import type { Bucket } from './buckets.ts'
import { orderedNumber } from './range-signs.ts'
import { type Sign, shows } from './sign.ts'
import type { Follower } from './sign-store.ts'
import { Branch } from './sorted-tree.ts'
import { TreeStore } from './tree-store.ts'

/** One range that rules ask for, and all below it. */
class Interval extends Branch<Interval> {
  readonly low: number
  readonly high: number
  /** The highest end in this part of the tree. */
  highest: number
  held: Bucket

  constructor({ low, high }: Sign, held: Bucket) {
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
export class RangeStore extends TreeStore<Interval> {
  readonly shows = shows.range

  protected branch(sign: Sign, held: Bucket): Interval {
    return new Interval(sign, held)
  }

  visit(found: unknown, follower: Follower): void {
    const value = orderedNumber(found)
    if (this.root !== undefined && !Number.isNaN(value)) visit(this.root, value, follower)
  }
}

function visit(at: Interval, value: number, follower: Follower): void {
  const { left, right } = at
  if (left !== undefined && left.highest >= value) visit(left, value, follower)
  if (at.low > value) return
  if (at.high >= value) follower.follow(at.held)
  if (right !== undefined && right.highest >= value) visit(right, value, follower)
}
