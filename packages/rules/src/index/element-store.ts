import { type Bucket, Buckets } from './buckets.ts'
import type { Clauses } from './clauses.ts'
import type { Field } from './field.ts'
import { Node } from './node.ts'
import { signsOfPattern } from './pattern-signs.ts'
import type { Patterns } from './patterns.ts'
import { Search } from './search.ts'
import { type Sign, shows } from './sign.ts'
import { type Follower, isElement, type SignStore } from './sign-store.ts'

/** Finds the clauses that a member of a list fulfils by an index of the same kind, over what they ask of the member. */
export class ElementStore implements SignStore {
  readonly shows = shows.element
  readonly #clauses: Clauses
  readonly #members: Patterns
  /** A clause with `element`, and behind it what is held for it, by the pattern of what it asks of a member. */
  readonly #elements = new Map<number, { readonly clause: number; bucket: Bucket }>()
  readonly #node: Node
  readonly #search: Search

  constructor(field: Field) {
    this.#clauses = field.scope.patterns.clauses
    this.#members = field.members as Patterns
    this.#node = new Node(new Buckets(this.#members))
    this.#search = new Search(this.#members)
  }

  get isEmpty(): boolean {
    return this.#elements.size === 0
  }

  get({ key }: Sign): Bucket {
    return this.#elements.get(this.#inner(key))?.bucket ?? 0
  }

  set({ key }: Sign, bucket: Bucket): void {
    const inner = this.#inner(key)
    const element = this.#elements.get(inner)
    if (element !== undefined) element.bucket = bucket
    else {
      this.#node.add(inner, signsOfPattern(this.#members, inner))
      this.#elements.set(inner, { clause: key as number, bucket })
    }
  }

  delete({ key }: Sign): void {
    const inner = this.#inner(key)
    if (this.#elements.delete(inner)) this.#node.remove(inner, signsOfPattern(this.#members, inner))
  }

  visit(found: unknown, follower: Follower): void {
    if (!Array.isArray(found)) return
    for (let at = 0; at < found.length; at++) {
      const member: unknown = found[at]
      if (isElement(member)) this.#visitMember(member, follower)
    }
  }

  all(): Iterable<Bucket> {
    return Array.from(this.#elements.values(), ({ bucket }) => bucket)
  }

  clear(): void {
    this.#node.clear()
  }

  #visitMember(member: object, follower: Follower): void {
    const search = this.#search
    search.run(this.#node, member)
    // Only now, when nothing asks about this member any more: the way on may lead to members of the same list again.
    for (let at = 0; at < search.count; at++) {
      const { clause, bucket } = this.#elements.get(search.matched[at] as number) as { clause: number; bucket: Bucket }
      // The opposite speaks of all members, and this is one.
      if (!this.#clauses.isNegated(clause)) this.#clauses.setHolds(clause)
      follower.follow(bucket)
    }
    search.end()
  }

  #inner(key: unknown): number {
    return this.#clauses.inner(key as number)
  }
}
