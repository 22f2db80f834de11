import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises'
import type { ChunkBook } from './chunk-book.ts'
import type { Places } from './places.ts'
import { type PresentRule, readEverything } from './rules-table.ts'

/** Between two pages, so that the matching on the same machine and the changes that are published meanwhile go first. */
const unhurriedMs = 1
const chunksPerTurn = 8

/**
 * Everything in Postgres against the book, line by line, while the book goes on taking in changes. A rule that changed
 * since the read began, or that waits in what was read, is no drift: it comes, or came, by its row in `rule_versions`.
 */
export class Comparison {
  /** Told of every rule that the book takes in, from before the read begins. */
  readonly #changed = new Set<string>()
  readonly #places: Places
  readonly #book: () => ChunkBook
  readonly #different: string[] = []
  readonly #seen = new Set<string>()

  constructor(places: Places, book: () => ChunkBook) {
    this.#places = places
    this.#book = book
  }

  changed(rule_ids: Iterable<string>): void {
    for (const rule_id of rule_ids) this.#changed.add(rule_id)
  }

  async run(stopping: AbortSignal, { hurried = false } = {}): Promise<void> {
    const { waiting } = await readEverything(this.#places.database, async page => {
      stopping.throwIfAborted()
      for (const rule of page) this.#compare(rule)
      if (!hurried) await sleep(unhurriedMs)
    })
    this.changed(waiting.rule_ids)
    const book = this.#book()
    for (let chunk = 0; chunk < book.chunkCount; chunk++) {
      for (const rule_id of book.idsAt(chunk)) {
        if (!this.#seen.has(rule_id)) this.#different.push(rule_id)
      }
      if (chunk % chunksPerTurn === chunksPerTurn - 1) await nextTurn()
    }
  }

  #compare({ rule_id, text }: PresentRule): void {
    if (text === undefined) return
    this.#seen.add(rule_id)
    if (!this.#book().has(rule_id, text)) this.#different.push(rule_id)
  }

  /** Enabled rules in Postgres. */
  get rules(): number {
    return this.#seen.size
  }

  /** Rules that are other in the book than in Postgres, and that nobody told of. */
  drift(): string[] {
    return this.#different.filter(rule_id => !this.#changed.has(rule_id))
  }
}
