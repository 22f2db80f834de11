import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises'
import { type ChunkBook, rulesIn } from './chunk-book.ts'
import * as meters from './meters.ts'
import type { Places } from './places.ts'
import { hashOf, readHashes } from './rules-table.ts'

/** After every few ms of work, so that the matching on the same machine and changes that are published go first. */
const unhurriedMs = 1
const chunksPerTurn = 8

/**
 * Everything in Postgres against the book, rule by rule, while the book goes on taking in changes. A rule that changed
 * since the read began, or that waits in what was read, is no drift: it comes, or came, by its row in `rule_versions`.
 */
export class Comparison {
  readonly #places: Places
  readonly #book: ChunkBook
  /** Told of every rule that the book takes in, from before the read begins. */
  readonly #changed = new Set<string>()
  readonly #different: string[] = []
  readonly #unreadable: string[] = []
  #rules = 0

  constructor(places: Places, book: ChunkBook) {
    this.#places = places
    this.#book = book
  }

  changed(rule_ids: Iterable<string>): void {
    for (const rule_id of rule_ids) this.#changed.add(rule_id)
  }

  async run(stopping: AbortSignal, { hurried = false } = {}): Promise<void> {
    const rest = async () => {
      stopping.throwIfAborted()
      await (hurried ? nextTurn() : sleep(unhurriedMs))
    }
    const hashes = new Map<string, string>()
    const waiting = await readHashes(this.#places.database, async page => {
      for (const { rule_id, hash } of page) {
        if (hash === null) this.#unreadable.push(rule_id)
        else hashes.set(rule_id, hash)
      }
      await rest()
    })
    this.changed(waiting.rule_ids)
    this.#rules = hashes.size
    meters.unreadableGauge.set(this.#unreadable.length)
    for (const [at, chunk] of this.#book.chunks.entries()) {
      for (const { rule_id, json } of await rulesIn(chunk)) {
        if (hashes.get(rule_id) !== hashOf(json)) this.#different.push(rule_id)
        hashes.delete(rule_id)
      }
      if (at % chunksPerTurn === chunksPerTurn - 1) await rest()
    }
    for (const rule_id of hashes.keys()) this.#different.push(rule_id)
  }

  /** Enabled rules in Postgres, but for those that are unreadable. */
  get rules(): number {
    return this.#rules
  }

  /** Enabled rules that have no line in a snapshot. Inserted past rule-service they are no drift: the book has none of them. */
  get unreadable(): readonly string[] {
    return this.#unreadable
  }

  /** Rules that are other in the book than in Postgres, and that nobody told of. */
  drift(): string[] {
    return this.#different.filter(rule_id => !this.#changed.has(rule_id))
  }
}
