import { orderedNumber } from './range-signs.ts'
import { type Sign, shows } from './sign.ts'

/** Is told what is held for the signs that a value shows. */
export interface Follower<Held> {
  follow(held: Held): void
}

/** What is held for signs of one kind, of one field or of the members of its list. */
export interface SignStore<Held> {
  /** Which kind. */
  readonly shows: number
  readonly isEmpty: boolean
  get(sign: Sign): Held | undefined
  set(sign: Sign, held: Held): void
  delete(sign: Sign): void
  /** Follows whatever `found` shows. It may be anything, undefined included. */
  visit(found: unknown, follower: Follower<Held>): void
  all(): Iterable<Held>
}

/** Signs that say something about a value without naming one. */
const isShown: ReadonlyMap<number, (found: unknown) => boolean> = new Map([
  [shows.present, (found: unknown) => found !== undefined],
  [shows.absent, (found: unknown) => found === undefined],
  [shows.empty, (found: unknown) => Array.isArray(found) && found.length === 0],
  [shows.unordered, (found: unknown) => Number.isNaN(orderedNumber(found))],
])

export class SingleStore<Held> implements SignStore<Held> {
  readonly shows: number
  readonly #isShown: (found: unknown) => boolean
  #held: Held | undefined

  constructor(shown: number) {
    this.shows = shown
    this.#isShown = isShown.get(shown) as (found: unknown) => boolean
  }

  get isEmpty(): boolean {
    return this.#held === undefined
  }

  get(): Held | undefined {
    return this.#held
  }

  set(_: Sign, held: Held): void {
    this.#held = held
  }

  delete(): void {
    this.#held = undefined
  }

  visit(found: unknown, follower: Follower<Held>): void {
    if (this.#held !== undefined && this.#isShown(found)) follower.follow(this.#held)
  }

  all(): Iterable<Held> {
    return this.#held === undefined ? [] : [this.#held]
  }
}

export class EqualStore<Held> implements SignStore<Held> {
  readonly shows = shows.equal
  readonly #held = new Map<unknown, Held>()

  get isEmpty(): boolean {
    return this.#held.size === 0
  }

  get({ key }: Sign): Held | undefined {
    return this.#held.get(key)
  }

  set({ key }: Sign, held: Held): void {
    this.#held.set(key, held)
  }

  delete({ key }: Sign): void {
    this.#held.delete(key)
  }

  visit(found: unknown, follower: Follower<Held>): void {
    // A list or object is equal to nothing, and being looked up would have it carry a hash from then on.
    if (typeof found === 'object' && found !== null) return
    const held = this.#held.get(found)
    if (held !== undefined) follower.follow(held)
  }

  all(): Iterable<Held> {
    return this.#held.values()
  }
}

/** For signs that are the holding of a clause: each is asked. */
export class AskedStore<Held> implements SignStore<Held> {
  readonly shows = shows.asked
  readonly #positions = new Map<unknown, number>()
  readonly #clauses: { holds(): boolean }[] = []
  readonly #held: Held[] = []

  get isEmpty(): boolean {
    return this.#clauses.length === 0
  }

  get({ key }: Sign): Held | undefined {
    const at = this.#positions.get(key)
    return at === undefined ? undefined : this.#held[at]
  }

  set({ key }: Sign, held: Held): void {
    const at = this.#positions.get(key) ?? this.#clauses.length
    this.#positions.set(key, at)
    this.#clauses[at] = key as { holds(): boolean }
    this.#held[at] = held
  }

  delete({ key }: Sign): void {
    const at = this.#positions.get(key)
    if (at === undefined) return
    this.#positions.delete(key)
    const lastClause = this.#clauses.pop() as { holds(): boolean }
    const lastHeld = this.#held.pop() as Held
    if (lastClause === key) return
    this.#positions.set(lastClause, at)
    this.#clauses[at] = lastClause
    this.#held[at] = lastHeld
  }

  visit(_: unknown, follower: Follower<Held>): void {
    const clauses = this.#clauses
    for (let at = 0; at < clauses.length; at++) {
      if ((clauses[at] as { holds(): boolean }).holds()) follower.follow(this.#held[at] as Held)
    }
  }

  all(): Iterable<Held> {
    return this.#held
  }
}
