import { schemaVersion } from '@tocsin/contracts/messages'
import type { Topic } from '@tocsin/contracts/topics'
import type { Producer } from '@tocsin/kafka/producer'
import type { Database } from '@tocsin/postgres/database'
import { backoffMs, pause } from '@tocsin/runtime/backoff'
import { isRetryable } from '@tocsin/runtime/errors'
import type { Logger } from '@tocsin/runtime/logger'
import { counter } from '@tocsin/runtime/metrics'
import { becomeRelay, markPublished, type OutboxRow, prunePublished, readUnpublished } from './outbox.ts'

export interface RelayOptions {
  database: Database
  producer: Producer
  topic: (topic: Topic) => string
  log: Logger
}

/** How late a change is told when nobody woke us: it was written by another copy of this service. */
const pollMs = 200
const batchRows = 500
const pruneEveryMs = 60 * 60_000
const pruneRows = 10_000
/** Short, because people wait to see their rule live once Kafka is back. */
const backoffCapMs = 5_000

const publishedTotal = counter('tocsin_outbox_published_total', 'outbox rows that Kafka has acknowledged')

/**
 * Publishes the outbox in its order and marks what was acknowledged, all in one transaction: whoever dies in between
 * leaves the rows unpublished and they are told again. Repeated, but never lost and never overtaken, because one
 * relay works at a time among all copies of the service.
 */
export class Relay {
  readonly #options: RelayOptions
  #woken = false
  #endPause: () => void = () => {}
  #nextPrune = Date.now() + pruneEveryMs

  constructor(options: RelayOptions) {
    this.#options = options
  }

  /** Called after each write. Costs nothing, and many wake-ups make one batch. */
  wake(): void {
    this.#woken = true
    this.#endPause()
  }

  async run(stopping: AbortSignal): Promise<void> {
    for (let failures = 0; !stopping.aborted; ) {
      try {
        this.#woken = false
        const rows = await this.#publishBatch()
        if (failures > 0) this.#options.log.info('rule changes are published again')
        failures = 0
        await this.#prune()
        // A wake-up that came while the batch was read must not be slept over.
        if (rows < batchRows && !this.#woken) await this.#pauseOrWake(pollMs, stopping)
      } catch (error) {
        if (!isRetryable(error)) throw error
        failures++
        if (failures === 1) this.#options.log.warn({ err: error }, 'rule changes wait to be published')
        await pause(backoffMs(failures, { capMs: backoffCapMs }), stopping) // a write does not bring Kafka back
      }
    }
  }

  async #publishBatch(): Promise<number> {
    const { database, producer, topic } = this.#options
    return database.transaction(async client => {
      if (!(await becomeRelay(client))) return 0
      const rows = await readUnpublished(client, batchRows)
      if (rows.length === 0) return 0
      await producer.send(rows.map(row => toMessage(row, topic)))
      await markPublished(client, rows)
      publishedTotal.inc(rows.length)
      return rows.length
    })
  }

  async #prune(): Promise<void> {
    if (Date.now() < this.#nextPrune) return
    const pruned = await this.#options.database.transaction(async client =>
      (await becomeRelay(client)) ? prunePublished(client, pruneRows) : 0,
    )
    // More to prune: after the next batch, so that nobody's change waits for it.
    if (pruned < pruneRows) this.#nextPrune = Date.now() + pruneEveryMs
  }

  async #pauseOrWake(delayMs: number, stopping: AbortSignal): Promise<void> {
    const over = new AbortController()
    const end = () => over.abort()
    this.#endPause = end
    stopping.addEventListener('abort', end)
    await pause(delayMs, over.signal)
    stopping.removeEventListener('abort', end)
    this.#endPause = () => {}
  }
}

function toMessage({ topic: name, key, message }: OutboxRow, topic: RelayOptions['topic']) {
  return {
    topic: topic(name as Topic),
    key,
    value: JSON.stringify(message),
    headers: { schema_version: String(schemaVersion), origin: 'rule-service' },
  }
}
