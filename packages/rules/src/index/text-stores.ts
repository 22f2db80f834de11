import type { Bucket } from './buckets.ts'
import { hashStart, stepHash } from './hash.ts'
import { HashedTexts } from './hashed-texts.ts'
import { type Sign, shows } from './sign.ts'
import type { Follower, SignStore } from './sign-store.ts'
import { gramSizes, hashFolded, leaveGram, markEdge, oldestWeight, rollGram, sampleFolded } from './text-hashes.ts'

abstract class HashedStore implements SignStore {
  readonly shows: number
  protected readonly texts = new HashedTexts()

  constructor(shown: number) {
    this.shows = shown
  }

  get isEmpty(): boolean {
    return this.texts.isEmpty
  }

  get({ key, low }: Sign): Bucket {
    return this.texts.get(key as number, low)
  }

  set({ key, low }: Sign, held: Bucket): void {
    this.texts.set(key as number, low, held)
  }

  delete({ key, low }: Sign): void {
    this.texts.delete(key as number, low)
  }

  abstract visit(found: unknown, follower: Follower): void

  all(): Iterable<Bucket> {
    return this.texts.all()
  }
}

function follow(held: Bucket, follower: Follower): void {
  if (held !== 0) follower.follow(held)
}

/** What texts start or end with. All sizes that rules name are hashed in one walk from that edge. */
export class EdgeStore extends HashedStore {
  readonly #isEnd: boolean

  constructor(shown: number) {
    super(shown)
    this.#isEnd = shown === shows.suffix
  }

  visit(found: unknown, follower: Follower): void {
    if (typeof found !== 'string') return
    if (this.#isEnd) this.#visitEnds(found, follower)
    else this.#visitStarts(found, follower)
  }

  // Not one walk that is told its direction: from the end that took 15 % longer.
  #visitStarts(text: string, follower: Follower): void {
    const { texts } = this
    const { sizes, marks } = texts
    let hash = hashStart
    let code = 0
    let at = 0
    for (let index = 0; index < sizes.length; index++) {
      const size = sizes[index] as number
      if (size > text.length) return
      for (; at < size; at++) {
        code = text.charCodeAt(at)
        hash = stepHash(hash, code)
      }
      if (((marks[index] as number) & (1 << code)) !== 0) follow(texts.getAt(index, markEdge(hash, code)), follower)
    }
  }

  #visitEnds(text: string, follower: Follower): void {
    const { texts } = this
    const { sizes, marks } = texts
    const last = text.length - 1
    let hash = hashStart
    let code = 0
    let at = 0
    for (let index = 0; index < sizes.length; index++) {
      const size = sizes[index] as number
      if (size > text.length) return
      for (; at < size; at++) {
        code = text.charCodeAt(last - at)
        hash = stepHash(hash, code)
      }
      if (((marks[index] as number) & (1 << code)) !== 0) follow(texts.getAt(index, markEdge(hash, code)), follower)
    }
  }
}

/** What is anywhere in a text: a window of each size that rules name is moved over it. */
export class GramStore extends HashedStore {
  visit(found: unknown, follower: Follower): void {
    if (typeof found !== 'string') return
    const { sizes } = this.texts
    for (let index = 0; index < sizes.length; index++) {
      const size = sizes[index] as number
      if (size <= found.length) visitGrams(this.texts, found, index, follower)
    }
  }
}

/** The weight of the oldest character, by size. */
const weights: ReadonlyMap<number, number> = new Map(gramSizes.map(size => [size, oldestWeight(size)]))

function visitGrams(texts: HashedTexts, text: string, index: number, follower: Follower): void {
  const size = texts.sizes[index] as number
  const weight = weights.get(size) as number
  let hash = 0
  for (let at = 0; at < size; at++) hash = rollGram(hash, text.charCodeAt(at))
  for (let end = size; ; end++) {
    follow(texts.getAt(index, hash), follower)
    if (end === text.length) return
    hash = rollGram(leaveGram(hash, text.charCodeAt(end - size), weight), text.charCodeAt(end))
  }
}

/** Texts in any case, as wholes. */
export class FoldedStore extends HashedStore {
  visit(found: unknown, follower: Follower): void {
    if (typeof found !== 'string' || !this.texts.mayHaveSize(found.length)) return
    const sample = sampleFolded(found)
    if (sample === -1 || this.texts.mayEndWith(sample)) {
      follow(this.texts.get(hashFolded(found), found.length), follower)
    }
  }
}
