import { setImmediate as nextTurn } from 'node:timers/promises'
import {
  chunkCountFor,
  chunkOf,
  lineOf,
  linesOf,
  type PackedChunk,
  packChunk,
  type RuleLine,
  unpackChunk,
} from '@tocsin/redis/snapshot-chunk'
import type { PresentRule } from './rules-table.ts'

/** Some 5 ms of work with 100,000 rules: then renewals and whoever asks for `/ready` get their turn. */
const chunksPerTurn = 8

/** More are not told one by one; nor are all of them kept in memory when a term begins. */
const untoldMax = 2_000

/**
 * All enabled rules in chunks, packed as Redis has them: what a change is applied to, and what Redis is repaired from.
 * 100,000 rules take 8 MB so, and their lines would take 58. That a chunk is unpacked for a change is paid for by all those
 * that need not be packed to be compared or written again.
 */
export class ChunkBook {
  #chunks: readonly PackedChunk[]
  /** Applied and not in the chunks yet: rules with their JSON, or undefined for those that are no more. */
  readonly #pending = new Map<string, string | undefined>()
  /** What came into the chunks since `told`, or nothing of it where that is too much. */
  #untold: Map<string, string | undefined> | undefined = new Map()

  /** The number of chunks stays while it is good enough, because another one moves every rule. */
  constructor(chunks: readonly PackedChunk[]) {
    this.#chunks = chunks
  }

  static empty(chunkCount = chunkCountFor(0)): ChunkBook {
    return new ChunkBook(emptyChunks(chunkCount))
  }

  /** As the last `settle` left them; never changed, only replaced. */
  get chunks(): readonly PackedChunk[] {
    return this.#chunks
  }

  /** Whatever differs from the chunks as they were at the last `told`; undefined when that is a lot. */
  get untold(): ReadonlyMap<string, string | undefined> | undefined {
    return this.#untold
  }

  told(): void {
    this.#untold = new Map()
  }

  /** These rules take the place of what they were, or go. Again makes no difference. */
  apply(rules: readonly PresentRule[]): void {
    for (const { rule_id, json } of rules) this.#pending.set(rule_id, json)
  }

  /** Brings what was applied into the chunks, and gives them. */
  async settle(): Promise<readonly PackedChunk[]> {
    if (this.#pending.size === 0) return this.#chunks
    const held = this.#chunks.reduce((sum, { entry }) => sum + entry.rules, 0)
    // At most as many: which of them are new shows when they are unpacked.
    const count = chunkCountFor(held + this.#pending.size, this.#chunks.length)
    const isKept = count === this.#chunks.length
    this.#chunks = isKept
      ? await changed(this.#chunks, this.#pending)
      : await changed(emptyChunks(count), await this.#everything())
    if ((this.#untold?.size ?? 0) + this.#pending.size > untoldMax) this.#untold = undefined
    for (const [rule_id, json] of this.#pending) this.#untold?.set(rule_id, json)
    this.#pending.clear()
    return this.#chunks
  }

  async #everything(): Promise<Map<string, string | undefined>> {
    const rules = new Map<string, string | undefined>()
    for (const [at, chunk] of this.#chunks.entries()) {
      for (const { rule_id, json } of await rulesIn(chunk)) rules.set(rule_id, json)
      if (at % chunksPerTurn === chunksPerTurn - 1) await nextTurn()
    }
    for (const [rule_id, json] of this.#pending) rules.set(rule_id, json)
    return rules
  }
}

/** In the order of their ids. */
export const rulesIn = async (chunk: PackedChunk): Promise<Iterable<RuleLine>> => linesOf(await textOf(chunk))

const textOf = async ({ entry, packed }: PackedChunk) => (packed === undefined ? '' : unpackChunk(entry.hash, packed))

type Change = [rule_id: string, json: string | undefined]

const noRules: PackedChunk = { entry: { hash: '', rules: 0, bytes: 0 }, packed: undefined }

const emptyChunks = (count: number) => Array.from({ length: count }, () => noRules)

async function changed(before: readonly PackedChunk[], changes: Iterable<Change>): Promise<readonly PackedChunk[]> {
  const chunks = [...before]
  let done = 0
  for (const [at, some] of Map.groupBy(changes, ([rule_id]) => chunkOf(rule_id, chunks.length))) {
    const text = changedText(await textOf(chunks[at]!), some)
    chunks[at] = await packChunk(text, text.split('\n').length - 1)
    if (++done % chunksPerTurn === 0) await nextTurn()
  }
  return chunks
}

/** What is between the changes is never taken apart. */
function changedText(text: string, changes: readonly Change[]): string {
  const parts: string[] = []
  let at = 0
  let taken = 0
  for (const [rule_id, json] of changes.toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    while (at < text.length && text.slice(at, text.indexOf(' ', at)) < rule_id) at = endOfLine(text, at)
    parts.push(text.slice(taken, at))
    if (text.startsWith(`${rule_id} `, at)) at = endOfLine(text, at)
    taken = at
    if (json !== undefined) parts.push(`${lineOf(rule_id, json)}\n`)
  }
  parts.push(text.slice(taken))
  return parts.join('')
}

const endOfLine = (text: string, at: number) => text.indexOf('\n', at) + 1
