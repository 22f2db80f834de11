import type { Bucket } from './buckets.ts'
import { type Sign, shows } from './sign.ts'
import type { Follower, SignStore } from './sign-store.ts'
import { Branch, find, forEach, insert, remove } from './sorted-tree.ts'

class Bound extends Branch<Bound> {
  readonly text: string
  held: Bucket

  constructor({ key }: Sign, held: Bucket = 0) {
    super()
    this.text = key as string
    this.held = held
  }

  comesBefore({ text }: Bound): boolean {
    return this.text < text
  }
}

/** Bounds that are texts, in order. Texts are compared by their letters, as the engine does. */
export class TextBoundStore implements SignStore {
  readonly shows: number
  readonly #isFrom: boolean
  #root: Bound | undefined

  constructor(shown: number) {
    this.shows = shown
    this.#isFrom = shown === shows.textFrom
  }

  get isEmpty(): boolean {
    return this.#root === undefined
  }

  get(sign: Sign): Bucket {
    return find(this.#root, new Bound(sign))?.held ?? 0
  }

  set(sign: Sign, held: Bucket): void {
    const bound = new Bound(sign, held)
    const known = find(this.#root, bound)
    if (known !== undefined) known.held = held
    else this.#root = insert(this.#root, bound)
  }

  delete(sign: Sign): void {
    const bound = find(this.#root, new Bound(sign))
    if (bound !== undefined) this.#root = remove(this.#root as Bound, bound)
  }

  visit(found: unknown, follower: Follower): void {
    const text = comparedText(found)
    if (text === undefined) return
    if (this.#isFrom) visitUpTo(this.#root, text, follower)
    else visitFrom(this.#root, text, follower)
  }

  all(): Iterable<Bucket> {
    const held: Bucket[] = []
    forEach(this.#root, bound => held.push(bound.held))
    return held
  }
}

function visitUpTo(bound: Bound | undefined, text: string, follower: Follower): void {
  for (let at = bound; at !== undefined; ) {
    if (at.text <= text) {
      visitUpTo(at.left, text, follower)
      follower.follow(at.held)
      at = at.right
    } else at = at.left
  }
}

function visitFrom(bound: Bound | undefined, text: string, follower: Follower): void {
  for (let at = bound; at !== undefined; ) {
    if (at.text >= text) {
      visitFrom(at.right, text, follower)
      follower.follow(at.held)
      at = at.left
    } else at = at.right
  }
}

/** A list is compared by its text; what is neither text nor list is no text to the engine's comparisons. */
function comparedText(found: unknown): string | undefined {
  if (typeof found === 'string') return found
  if (!Array.isArray(found)) return undefined
  try {
    return String(found)
  } catch {
    return undefined
  }
}
