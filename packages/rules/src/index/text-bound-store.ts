import type { Bucket } from './buckets.ts'
import { type Sign, shows } from './sign.ts'
import type { Follower, SignStore } from './sign-store.ts'

/** Bounds that are texts, in order. Texts are compared by their letters, as the engine does. */
export class TextBoundStore implements SignStore {
  readonly shows: number
  readonly #isFrom: boolean
  readonly #bounds: string[] = []
  readonly #held: Bucket[] = []

  constructor(shown: number) {
    this.shows = shown
    this.#isFrom = shown === shows.textFrom
  }

  get isEmpty(): boolean {
    return this.#bounds.length === 0
  }

  get({ key }: Sign): Bucket {
    const at = this.#firstFrom(key as string)
    return this.#bounds[at] === key ? (this.#held[at] as Bucket) : 0
  }

  set({ key }: Sign, held: Bucket): void {
    const at = this.#firstFrom(key as string)
    if (this.#bounds[at] === key) this.#held[at] = held
    else {
      this.#bounds.splice(at, 0, key as string)
      this.#held.splice(at, 0, held)
    }
  }

  delete({ key }: Sign): void {
    const at = this.#firstFrom(key as string)
    if (this.#bounds[at] !== key) return
    this.#bounds.splice(at, 1)
    this.#held.splice(at, 1)
  }

  visit(found: unknown, follower: Follower): void {
    const text = comparedText(found)
    if (text === undefined) return
    const bounds = this.#bounds
    if (this.#isFrom) {
      for (let at = 0; at < bounds.length && (bounds[at] as string) <= text; at++)
        follower.follow(this.#held[at] as Bucket)
    } else {
      for (let at = bounds.length - 1; at >= 0 && (bounds[at] as string) >= text; at--) {
        follower.follow(this.#held[at] as Bucket)
      }
    }
  }

  all(): Iterable<Bucket> {
    return this.#held
  }

  #firstFrom(bound: string): number {
    let from = 0
    let to = this.#bounds.length
    while (from < to) {
      const middle = (from + to) >>> 1
      if ((this.#bounds[middle] as string) < bound) from = middle + 1
      else to = middle
    }
    return from
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
