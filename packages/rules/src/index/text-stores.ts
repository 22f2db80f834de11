import { extendHash, hashStart } from './hash.ts'
import { HashedTexts } from './hashed-texts.ts'
import { type Sign, shows } from './sign.ts'
import type { Follower, SignStore } from './sign-store.ts'
import { gramSizes, hashFolded, leaveGram, oldestWeight, rollGram } from './text-hashes.ts'

abstract class HashedStore<Held> implements SignStore<Held> {
  protected readonly texts = new HashedTexts<Held>()

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
    super()
    this.#isEnd = shown === shows.suffix
  }

  visit(found: unknown, follower: Follower<Held>): void {
    if (typeof found !== 'string') return
    if (this.#isEnd) this.#visitEnds(found, follower)
    else this.#visitStarts(found, follower)
  }

  #visitStarts(text: string, follower: Follower<Held>): void {
    const { texts } = this
    const end = Math.min(text.length, texts.longest)
    let hash = hashStart
    for (let size = 1; size <= end; size++) {
      hash = extendHash(hash, text.charCodeAt(size - 1))
      if (texts.hasSize(size)) follow(texts.get(hash, size), follower)
    }
  }

  #visitEnds(text: string, follower: Follower<Held>): void {
    const { texts } = this
    const { length } = text
    const end = Math.min(length, texts.longest)
    let hash = hashStart
    for (let size = 1; size <= end; size++) {
      hash = extendHash(hash, text.charCodeAt(length - size))
      if (texts.hasSize(size)) follow(texts.get(hash, size), follower)
    }
  }
}

/** What is anywhere in a text: a window of each size that rules name is moved over it. */
export class GramStore<Held> extends HashedStore<Held> {
  visit(found: unknown, follower: Follower<Held>): void {
    if (typeof found !== 'string') return
    for (let at = 0; at < gramSizes.length; at++) {
      const size = gramSizes[at] as number
      if (this.texts.hasSize(size) && found.length >= size) visitGrams(this.texts, found, size, follower)
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
    if (typeof found !== 'string' || !this.texts.hasSize(found.length)) return
    follow(this.texts.get(hashFolded(found), found.length), follower)
  }
}
