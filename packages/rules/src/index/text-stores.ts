import { extendHash, hashStart } from './hash.ts'
import { HashedTexts } from './hashed-texts.ts'
import { type Sign, shows } from './sign.ts'
import type { Follower, SignStore } from './sign-store.ts'
import { gramSizes, hashFolded, leaveGram, oldestWeight, rollGram } from './text-hashes.ts'

abstract class HashedStore<Held> implements SignStore<Held> {
  readonly shows: number
  protected readonly texts = new HashedTexts<Held>()

  constructor(shown: number) {
    this.shows = shown
  }

  get isEmpty(): boolean {
    return this.texts.size === 0
  }

  get({ key, low }: Sign): Held | undefined {
    return this.texts.get(key as number, low)
  }

  set({ key, low }: Sign, held: Held): void {
    this.texts.set(key as number, low, held)
  }

  delete({ key, low }: Sign): void {
    this.texts.delete(key as number, low)
  }

  abstract visit(found: unknown, follower: Follower<Held>): void

  all(): Iterable<Held> {
    return this.texts.all()
  }
}

function follow<Held>(held: Held | undefined, follower: Follower<Held>): void {
  if (held !== undefined) follower.follow(held)
}

/** What texts start or end with. All sizes that rules name are hashed in one walk from that edge. */
export class EdgeStore<Held> extends HashedStore<Held> {
  readonly #isEnd: boolean

  constructor(shown: number) {
    super(shown)
    this.#isEnd = shown === shows.suffix
  }

  visit(found: unknown, follower: Follower<Held>): void {
    if (typeof found !== 'string') return
    if (this.#isEnd) this.#visitEnds(found, follower)
    else this.#visitStarts(found, follower)
  }

  #visitStarts(text: string, follower: Follower<Held>): void {
    const { texts } = this
    const { sizes } = texts
    let hash = hashStart
    let at = 0
    for (let index = 0; index < sizes.length; index++) {
      const size = sizes[index] as number
      if (size > text.length) return
      for (; at < size; at++) hash = extendHash(hash, text.charCodeAt(at))
      follow(texts.get(hash, size), follower)
    }
  }

  #visitEnds(text: string, follower: Follower<Held>): void {
    const { texts } = this
    const { sizes } = texts
    const last = text.length - 1
    let hash = hashStart
    let at = 0
    for (let index = 0; index < sizes.length; index++) {
      const size = sizes[index] as number
      if (size > text.length) return
      for (; at < size; at++) hash = extendHash(hash, text.charCodeAt(last - at))
      follow(texts.get(hash, size), follower)
    }
  }
}

/** What is anywhere in a text: a window of each size that rules name is moved over it. */
export class GramStore<Held> extends HashedStore<Held> {
  visit(found: unknown, follower: Follower<Held>): void {
    if (typeof found !== 'string') return
    const { sizes } = this.texts
    for (let index = 0; index < sizes.length; index++) {
      const size = sizes[index] as number
      if (size <= found.length) visitGrams(this.texts, found, size, follower)
    }
  }
}

/** The weight of the oldest character, by size. */
const weights: ReadonlyMap<number, number> = new Map(gramSizes.map(size => [size, oldestWeight(size)]))

function visitGrams<Held>(texts: HashedTexts<Held>, text: string, size: number, follower: Follower<Held>): void {
  const weight = weights.get(size) as number
  let hash = 0
  for (let at = 0; at < size; at++) hash = rollGram(hash, text.charCodeAt(at))
  for (let end = size; ; end++) {
    follow(texts.get(hash, size), follower)
    if (end === text.length) return
    hash = rollGram(leaveGram(hash, text.charCodeAt(end - size), weight), text.charCodeAt(end))
  }
}

/** Texts in any case, as wholes. */
export class FoldedStore<Held> extends HashedStore<Held> {
  visit(found: unknown, follower: Follower<Held>): void {
    if (typeof found !== 'string' || !this.texts.sizes.includes(found.length)) return
    follow(this.texts.get(hashFolded(found), found.length), follower)
  }
}
