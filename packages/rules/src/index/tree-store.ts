import type { Bucket } from './buckets.ts'
import type { Sign } from './sign.ts'
import type { Follower, SignStore } from './sign-store.ts'
import { type Branch, find, forEach, insert, remove } from './sorted-tree.ts'

/** For signs that have an order, which a visit makes use of: a branch for each, with what is held for it. */
export abstract class TreeStore<Of extends Branch<Of> & { held: Bucket }> implements SignStore {
  abstract readonly shows: number
  protected root: Of | undefined

  protected abstract branch(sign: Sign, held: Bucket): Of
  abstract visit(found: unknown, follower: Follower): void

  get isEmpty(): boolean {
    return this.root === undefined
  }

  get(sign: Sign): Bucket {
    return find(this.root, this.branch(sign, 0))?.held ?? 0
  }

  set(sign: Sign, held: Bucket): void {
    const branch = this.branch(sign, held)
    const known = find(this.root, branch)
    if (known !== undefined) known.held = held
    else this.root = insert(this.root, branch)
  }

  delete(sign: Sign): void {
    const branch = find(this.root, this.branch(sign, 0))
    if (branch !== undefined) this.root = remove(this.root as Of, branch)
  }

  all(): Iterable<Bucket> {
    const held: Bucket[] = []
    forEach(this.root, branch => held.push(branch.held))
    return held
  }
}
