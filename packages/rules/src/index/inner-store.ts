import type { Bucket } from './buckets.ts'
import { foldedText } from './folded-text.ts'
import type { Sign } from './sign.ts'
import type { Follower, SignStore } from './sign-store.ts'

/** A store that is shown something else than the value itself. */
abstract class InnerStore implements SignStore {
  readonly shows: number
  protected readonly inner: SignStore

  constructor(shown: number, inner: SignStore) {
    this.shows = shown
    this.inner = inner
  }

  get isEmpty(): boolean {
    return this.inner.isEmpty
  }

  get(sign: Sign): Bucket {
    return this.inner.get(sign)
  }

  set(sign: Sign, held: Bucket): void {
    this.inner.set(sign, held)
  }

  delete(sign: Sign): void {
    this.inner.delete(sign)
  }

  abstract visit(found: unknown, follower: Follower): void

  all(): Iterable<Bucket> {
    return this.inner.all()
  }

  clear(): void {
    this.inner.clear?.()
  }
}

/** Shows a text in one case. */
export class FoldingStore extends InnerStore {
  visit(found: unknown, follower: Follower): void {
    if (typeof found === 'string') this.inner.visit(foldedText(found), follower)
  }
}

/** Shows the members of a list. */
export class ListedStore extends InnerStore {
  visit(found: unknown, follower: Follower): void {
    if (!Array.isArray(found)) return
    for (let at = 0; at < found.length; at++) this.inner.visit(found[at], follower)
  }
}
