import type { Bucket } from './buckets.ts'
import { type Sign, shows } from './sign.ts'
import type { Follower } from './sign-store.ts'
import { Branch } from './sorted-tree.ts'
import { TreeStore } from './tree-store.ts'

class Bound extends Branch<Bound> {
  readonly text: string
  held: Bucket

  constructor({ key }: Sign, held: Bucket) {
    super()
    this.text = key as string
    this.held = held
  }

  comesBefore({ text }: Bound): boolean {
    return this.text < text
  }
}

/** Bounds that are texts, in order. Texts are compared by their letters, as the engine does. */
export class TextBoundStore extends TreeStore<Bound> {
  readonly shows: number
  readonly #isFrom: boolean

  constructor(shown: number) {
    super()
    this.shows = shown
    this.#isFrom = shown === shows.textFrom
  }

  protected branch(sign: Sign, held: Bucket): Bound {
    return new Bound(sign, held)
  }

  visit(found: unknown, follower: Follower): void {
    const text = comparedText(found)
    if (text === undefined) return
    if (this.#isFrom) visitUpTo(this.root, text, follower)
    else visitFrom(this.root, text, follower)
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
