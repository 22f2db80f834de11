import type { Clause } from './clause.ts'
import type { Field } from './field.ts'
import { type Bucket, Node } from './node.ts'
import type { Pattern } from './pattern.ts'
import { signsOfPattern } from './pattern-signs.ts'
import type { Patterns } from './patterns.ts'
import { Search } from './search.ts'
import { type Sign, shows } from './sign.ts'
import type { Follower, SignStore } from './sign-store.ts'

/** A clause with `element`, and what is held for it. */
interface Element {
  readonly clause: Clause
  readonly bucket: Bucket
}

/** Finds the clauses that a member of a list fulfils by an index of the same kind, over what they ask of the member. */
export class ElementStore implements SignStore<Bucket> {
  readonly shows = shows.element
  readonly #elements = new Map<Pattern, Element>()
  readonly #node = new Node()
  readonly #search: Search

  constructor(field: Field) {
    this.#search = new Search(field.members as Patterns)
  }

  get isEmpty(): boolean {
    return this.#elements.size === 0
  }

  get(sign: Sign): Bucket | undefined {
    return this.#elements.get(innerOf(sign))?.bucket
  }

  set(sign: Sign, bucket: Bucket): void {
    const inner = innerOf(sign)
    if (!this.#elements.has(inner)) this.#node.add(inner, signsOfPattern(inner))
    this.#elements.set(inner, { clause: sign.key as Clause, bucket })
  }

  delete(sign: Sign): void {
    const inner = innerOf(sign)
    if (this.#elements.delete(inner)) this.#node.remove(inner, signsOfPattern(inner))
  }

  visit(found: unknown, follower: Follower<Bucket>): void {
    if (!Array.isArray(found)) return
    for (let at = 0; at < found.length; at++) {
      const member: unknown = found[at]
      if (typeof member === 'object' && member !== null && !Array.isArray(member)) this.#visitMember(member, follower)
    }
  }

  all(): Iterable<Bucket> {
    return Array.from(this.#elements.values(), ({ bucket }) => bucket)
  }

  #visitMember(member: object, follower: Follower<Bucket>): void {
    const search = this.#search
    search.run(this.#node, member)
    // Only now, when nothing asks about this member any more: the way on may lead to members of the same list again.
    for (let at = 0; at < search.count; at++) {
      const { clause, bucket } = this.#elements.get(search.matched[at] as Pattern) as Element
      clause.verdict = clause.field.scope.epoch
      follower.follow(bucket)
    }
  }
}

const innerOf = (sign: Sign) => (sign.key as Clause).inner as Pattern
