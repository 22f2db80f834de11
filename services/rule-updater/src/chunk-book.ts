import { setImmediate as nextTurn } from 'node:timers/promises'
import { chunkCountFor, chunkOf, lineOf, textOf } from '@tocsin/redis/snapshot-chunk'
import type { PresentRule } from './rules-table.ts'

/** A millisecond or two of work: then renewals and whoever asks for `/ready` get their turn. */
const rulesPerTurn = 2_000
const chunksPerTurn = 8

/**
 * All enabled rules in their chunks, each chunk in the order of its ids, and which chunks have changed since they were last
 * asked for. It is what a change is applied to, and what Redis is repaired from. All that is kept of a rule is its text as
 * Postgres sent it, its line but for the digest: 100,000 of 550 bytes take 58 MB.
 */
export class ChunkBook {
  readonly #chunks: string[][]
  readonly #changed = new Set<number>()
  #rules = 0

  private constructor(chunkCount: number) {
    this.#chunks = Array.from({ length: chunkCount }, () => [])
    for (let chunk = 0; chunk < chunkCount; chunk++) this.#changed.add(chunk)
  }

  /** Of rules in any order. `countBefore` is kept while it is good enough, because another one moves every rule. */
  static async of(texts: Iterable<string>, rules: number, countBefore: number | undefined): Promise<ChunkBook> {
    const book = new ChunkBook(chunkCountFor(rules, countBefore))
    for (const text of texts) {
      book.#chunks[chunkOf(idIn(text), book.chunkCount)]!.push(text)
      if (++book.#rules % rulesPerTurn === 0) await nextTurn()
    }
    for (const [chunk, chunkTexts] of book.#chunks.entries()) {
      chunkTexts.sort(inOrder)
      if (chunk % chunksPerTurn === chunksPerTurn - 1) await nextTurn()
    }
    return book
  }

  get chunkCount(): number {
    return this.#chunks.length
  }

  /** How many there are. */
  get rules(): number {
    return this.#rules
  }

  /** Puts these rules in, in place of what they were, or takes them out. Again makes no difference. */
  async apply(rules: readonly PresentRule[]): Promise<void> {
    for (const [index, rule] of rules.entries()) {
      this.#apply(rule)
      if (index % rulesPerTurn === rulesPerTurn - 1) await nextTurn()
    }
  }

  #apply({ rule_id, text }: PresentRule): void {
    const chunk = chunkOf(rule_id, this.chunkCount)
    const texts = this.#chunks[chunk]!
    const { at, isThere } = find(texts, rule_id)
    if (text === undefined) {
      if (!isThere) return
      texts.splice(at, 1)
      this.#rules--
    } else {
      if (isThere && texts[at] === text) return
      texts.splice(at, isThere ? 1 : 0, text)
      if (!isThere) this.#rules++
    }
    this.#changed.add(chunk)
  }

  /** Is the rule in the book exactly like this? */
  has(rule_id: string, text: string): boolean {
    const texts = this.#chunks[chunkOf(rule_id, this.chunkCount)]!
    return texts[find(texts, rule_id).at] === text
  }

  /** The ids of one chunk. */
  idsAt(chunk: number): string[] {
    return this.#chunks[chunk]!.map(idIn)
  }

  /** The chunk as readers get it. */
  textAt(chunk: number): string {
    return textOf(this.#chunks[chunk]!.map(lineFor))
  }

  rulesAt(chunk: number): number {
    return this.#chunks[chunk]!.length
  }

  /** The chunks that changed since this was last called; at first all of them. */
  takeChanged(): number[] {
    const changed = [...this.#changed]
    this.#changed.clear()
    return changed
  }

  /** Itself, or the same rules in another number of chunks when this one no longer suits them. */
  async resized(): Promise<ChunkBook> {
    if (chunkCountFor(this.#rules, this.chunkCount) === this.chunkCount) return this
    return ChunkBook.of(this.#texts(), this.#rules, this.chunkCount)
  }

  *#texts(): Generator<string> {
    for (const texts of this.#chunks) yield* texts
  }
}

const idIn = (text: string) => text.slice(0, text.indexOf(' '))

function lineFor(text: string): string {
  const ruleId = idIn(text)
  return lineOf(ruleId, text.slice(ruleId.length + 1))
}

/** By UTF-16 units, as `find` compares; an id has nothing that sorts before the space after it. */
const inOrder = (a: string, b: string) => (a < b ? -1 : 1)

/** Where the rule is, or would be. */
function find(texts: readonly string[], rule_id: string): { at: number; isThere: boolean } {
  const start = `${rule_id} `
  let from = 0
  let to = texts.length
  while (from < to) {
    const middle = (from + to) >> 1
    if (texts[middle]! < start) from = middle + 1
    else to = middle
  }
  return { at: from, isThere: texts[from]?.startsWith(start) === true }
}
