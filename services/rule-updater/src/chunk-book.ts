import { setImmediate as nextTurn } from 'node:timers/promises'
import { chunkCountFor, chunkOf, lineOf, textOf } from '@tocsin/redis/snapshot-chunk'
import type { PresentRule } from './rules-table.ts'

/** A millisecond or two of work: then renewals and whoever asks for `/ready` get their turn. */
const linesPerTurn = 2_000
const chunksPerTurn = 8

/**
 * All enabled rules as the lines of their chunks, each chunk in the order of its ids, and which chunks have changed since
 * they were last asked for. It is what a change is applied to, and what Redis is repaired from. The lines are all that
 * is kept of a rule: 100,000 of 465 bytes take 54 MB.
 */
export class ChunkBook {
  readonly #chunks: string[][]
  readonly #changed = new Set<number>()
  #rules = 0

  private constructor(chunkCount: number) {
    this.#chunks = Array.from({ length: chunkCount }, () => [])
    for (let chunk = 0; chunk < chunkCount; chunk++) this.#changed.add(chunk)
  }

  /** Of lines in any order. `countBefore` is kept while it is good enough, because another one moves every rule. */
  static async of(lines: Iterable<string>, rules: number, countBefore: number | undefined): Promise<ChunkBook> {
    const book = new ChunkBook(chunkCountFor(rules, countBefore))
    for (const line of lines) {
      book.#chunks[chunkOf(idIn(line), book.chunkCount)]!.push(line)
      if (++book.#rules % linesPerTurn === 0) await nextTurn()
    }
    for (const [chunk, chunkLines] of book.#chunks.entries()) {
      chunkLines.sort(inOrder)
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
      if (index % linesPerTurn === linesPerTurn - 1) await nextTurn()
    }
  }

  #apply({ rule_id, json }: PresentRule): void {
    const chunk = chunkOf(rule_id, this.chunkCount)
    const lines = this.#chunks[chunk]!
    const { at, isThere } = find(lines, rule_id)
    if (json === undefined) {
      if (!isThere) return
      lines.splice(at, 1)
      this.#rules--
    } else {
      const line = lineOf(rule_id, json)
      if (isThere && lines[at] === line) return
      lines.splice(at, isThere ? 1 : 0, line)
      if (!isThere) this.#rules++
    }
    this.#changed.add(chunk)
  }

  /** Is the rule in the book exactly like this? Without a digest of it, since everything is asked every minute. */
  has(rule_id: string, json: string): boolean {
    const lines = this.#chunks[chunkOf(rule_id, this.chunkCount)]!
    const { at, isThere } = find(lines, rule_id)
    if (!isThere) return false
    const line = lines[at]!
    return line.endsWith(json) && line.indexOf(' ', rule_id.length + 1) === line.length - json.length - 1
  }

  /** The ids of one chunk. */
  idsAt(chunk: number): string[] {
    return this.#chunks[chunk]!.map(idIn)
  }

  textAt(chunk: number): string {
    return textOf(this.#chunks[chunk]!)
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
    return ChunkBook.of(this.#lines(), this.#rules, this.chunkCount)
  }

  *#lines(): Generator<string> {
    for (const lines of this.#chunks) yield* lines
  }
}

const idIn = (line: string) => line.slice(0, line.indexOf(' '))

/** By UTF-16 units, as `find` compares; an id has nothing that sorts before the space after it. */
const inOrder = (a: string, b: string) => (a < b ? -1 : 1)

/** Where the rule's line is, or would be. */
function find(lines: readonly string[], rule_id: string): { at: number; isThere: boolean } {
  const start = `${rule_id} `
  let from = 0
  let to = lines.length
  while (from < to) {
    const middle = (from + to) >> 1
    if (lines[middle]! < start) from = middle + 1
    else to = middle
  }
  return { at: from, isThere: lines[from]?.startsWith(start) === true }
}
