import type { Bucket } from './buckets.ts'
import type { Clauses } from './clauses.ts'
import type { FieldValues } from './field-values.ts'
import { NumberMap } from './number-map.ts'
import { orderedNumber } from './range-signs.ts'
import { type Sign, shows } from './sign.ts'

/** Is told what is held for the signs that a value shows. */
export interface Follower {
  follow(held: Bucket): void
}

/** What is held for signs of one kind, of one field or of the members of its list. */
export interface SignStore {
  /** Which kind. */
  readonly shows: number
  readonly isEmpty: boolean
  /** 0 if there is nothing. */
  get(sign: Sign): Bucket
  set(sign: Sign, held: Bucket): void
  delete(sign: Sign): void
  /** Follows whatever `found` shows. It may be anything, undefined included. */
  visit(found: unknown, follower: Follower): void
  all(): Iterable<Bucket>
  /** The store is not used any more: for one that has taken numbers. */
  clear?(): void
}

/** Whether there is anything for the operator `element` to look at. */
export const isElement = (member: unknown): member is object =>
  typeof member === 'object' && member !== null && !Array.isArray(member)

/** Signs that say something about a value without naming one. */
const isShown: ReadonlyMap<number, (found: unknown) => boolean> = new Map([
  [shows.present, (found: unknown) => found !== undefined],
  [shows.absent, (found: unknown) => found === undefined],
  [shows.empty, (found: unknown) => Array.isArray(found) && found.length === 0],
  [shows.noList, (found: unknown) => !Array.isArray(found)],
  [shows.noElements, (found: unknown) => !Array.isArray(found) || !found.some(isElement)],
  [shows.unordered, (found: unknown) => Number.isNaN(orderedNumber(found))],
])

export class SingleStore implements SignStore {
  readonly shows: number
  readonly #isShown: (found: unknown) => boolean
  #held: Bucket = 0

  constructor(shown: number) {
    this.shows = shown
    this.#isShown = isShown.get(shown) as (found: unknown) => boolean
  }

  get isEmpty(): boolean {
    return this.#held === 0
  }

  get(): Bucket {
    return this.#held
  }

  set(_: Sign, held: Bucket): void {
    this.#held = held
  }

  delete(): void {
    this.#held = 0
  }

  visit(found: unknown, follower: Follower): void {
    if (this.#held !== 0 && this.#isShown(found)) follower.follow(this.#held)
  }

  all(): Iterable<Bucket> {
    return this.#held === 0 ? [] : [this.#held]
  }
}

export class EqualStore implements SignStore {
  readonly shows = shows.equal
  readonly #values: FieldValues
  /** By the number of the value. */
  readonly #held = new NumberMap()

  constructor(values: FieldValues) {
    this.#values = values
  }

  get isEmpty(): boolean {
    return this.#held.size === 0
  }

  get({ key }: Sign): Bucket {
    return this.#held.get(this.#values.idOf(key))
  }

  set({ key }: Sign, bucket: Bucket): void {
    const known = this.#values.idOf(key)
    const id = this.#held.get(known) !== 0 ? known : this.#values.take(key)
    this.#held.set(id, bucket)
  }

  delete({ key }: Sign): void {
    const id = this.#values.idOf(key)
    if (this.#held.get(id) === 0) return
    this.#held.delete(id)
    this.#values.release(id)
  }

  visit(found: unknown, follower: Follower): void {
    this.visitId(this.#values.idOf(found), follower)
  }

  /** For when the number is known already. */
  visitId(id: number, follower: Follower): void {
    const bucket = this.#held.get(id)
    if (bucket !== 0) follower.follow(bucket)
  }

  all(): Iterable<Bucket> {
    return this.#held.buckets()
  }

  clear(): void {
    for (const id of this.#held.keys()) this.#values.release(id)
  }
}

/** Of what the clauses are asked. */
const isAsked = new Map<number, (found: unknown) => boolean>([
  [shows.asked, () => true],
  [shows.askedIfPresent, (found: unknown) => found !== undefined],
  [shows.askedIfList, (found: unknown) => Array.isArray(found)],
  [shows.askedIfText, (found: unknown) => typeof found === 'string'],
])

/** For signs that are the holding of a clause: each is asked. */
export class AskedStore implements SignStore {
  readonly shows: number
  readonly #isAsked: (found: unknown) => boolean
  readonly #asked: Clauses
  readonly #positions = new Map<unknown, number>()
  readonly #clauses: number[] = []
  readonly #held: Bucket[] = []

  constructor(shown: number, clauses: Clauses) {
    this.shows = shown
    this.#isAsked = isAsked.get(shown) as (found: unknown) => boolean
    this.#asked = clauses
  }

  get isEmpty(): boolean {
    return this.#clauses.length === 0
  }

  get({ key }: Sign): Bucket {
    const at = this.#positions.get(key)
    return at === undefined ? 0 : (this.#held[at] as Bucket)
  }

  set({ key }: Sign, held: Bucket): void {
    const at = this.#positions.get(key) ?? this.#clauses.length
    this.#positions.set(key, at)
    this.#clauses[at] = key as number
    this.#held[at] = held
  }

  delete({ key }: Sign): void {
    const at = this.#positions.get(key)
    if (at === undefined) return
    this.#positions.delete(key)
    const lastClause = this.#clauses.pop() as number
    const lastHeld = this.#held.pop() as Bucket
    if (lastClause === key) return
    this.#positions.set(lastClause, at)
    this.#clauses[at] = lastClause
    this.#held[at] = lastHeld
  }

  visit(found: unknown, follower: Follower): void {
    if (!this.#isAsked(found)) return
    const clauses = this.#clauses
    for (let at = 0; at < clauses.length; at++) {
      if (this.#asked.holds(clauses[at] as number)) follower.follow(this.#held[at] as Bucket)
    }
  }

  all(): Iterable<Bucket> {
    return this.#held
  }
}
