import { schemaVersion } from '@tocsin/contracts/messages'
import type { Topic } from '@tocsin/contracts/topics'
import type { Producer } from '@tocsin/kafka/producer'
import type { Database } from '@tocsin/postgres/database'
import { backoffMs, pause } from '@tocsin/runtime/backoff'
import { Bell } from '@tocsin/runtime/bell'
import { isRetryable } from '@tocsin/runtime/errors'
import type { Logger } from '@tocsin/runtime/logger'
import { counter } from '@tocsin/runtime/metrics'
import { holdUnpublished, markPublished, type OutboxRow, prunePublished } from './outbox.ts'

export interface RelayOptions {
  database: Database
  producer: Producer
  topic: (topic: Topic) => string
  log: Logger
  pollMs?: number
  heldRowsMs?: number
}

/** How late a change is told when nobody was woken: the connection that listens was lost, or the writer died. */
const usualPollMs = 200
/**
 * Some 50 KB: what fits into the buffers of a connection even when nobody reads it. A relay that is stopped before it
 * has read its rows then is idle to Postgres, not busy, and loses them in time like any other.
 */
const batchRows = 200
/** In its transaction a relay waits for nothing but the producer, which gives up sooner. */
const usualHeldRowsMs = 8_000
/**
 * Changes that come one after the other share a batch: a batch costs Postgres, Kafka and the reader as much as some ten
 * changes, and many writers made 200 of them a second. Nobody waits for it who comes alone.
 */
const restMs = 20
const pruneEveryMs = 60 * 60_000
const pruneRows = 10_000
/** Short, because people wait to see their rule live once Kafka is back. */
const backoffCapMs = 5_000

const publishedTotal = counter('tocsin_outbox_published_total', 'outbox rows that Kafka has acknowledged')

/**
 * Publishes the outbox and marks what was acknowledged, all in one transaction: whoever dies in between leaves the rows
 * unpublished and they are told again. Repeated, but never lost, and of one key never overtaken, because a relay has all
 * rows of a key in hand or none (`holdUnpublished`). Each copy of the service has one, and they share the work.
 *
 * One that is stopped in its transaction (SIGSTOP, a machine that sleeps) is put out by Postgres, and another tells its
 * rows. When it wakes up and sends its batch all the same, these are repeats: it had the rows of each key in order, and
 * all before them were published.
 */
export class Relay {
  readonly #options: RelayOptions
  readonly #bell = new Bell()
  #nextPrune = Date.now() + pruneEveryMs

  constructor(options: RelayOptions) {
    this.#options = options
  }

  /** Called when Postgres tells of new rows. Costs nothing, and many wake-ups make one batch. */
  wake(): void {
    this.#bell.ring()
  }

  async run(stopping: AbortSignal): Promise<void> {
    const { pollMs = usualPollMs } = this.#options
    for (let failures = 0; !stopping.aborted; ) {
      try {
        const rows = await this.#publishBatch()
        if (failures > 0) this.#options.log.info('rule changes are published again')
        failures = 0
        await this.#prune()
        if (rows === batchRows) continue
        if (rows > 0) await pause(restMs, stopping)
        await this.#bell.wait(pollMs, stopping)
      } catch (error) {
        if (!isRetryable(error)) throw error
        failures++
        if (failures === 1) this.#options.log.warn({ err: error }, 'rule changes wait to be published')
        await pause(backoffMs(failures, { capMs: backoffCapMs }), stopping) // a write does not bring Kafka back
      }
    }
  }

  async #publishBatch(): Promise<number> {
    const { database, producer, topic, heldRowsMs = usualHeldRowsMs } = this.#options
    return database.transaction(async client => {
      const rows = await holdUnpublished(client, batchRows)
      if (rows.length === 0) return 0
      await producer.send(rows.map(row => toMessage(row, topic)))
      await markPublished(client, rows)
      publishedTotal.inc(rows.length)
      return rows.length
    }, `BEGIN; SET LOCAL idle_in_transaction_session_timeout = ${heldRowsMs}`)
  }

  async #prune(): Promise<void> {
    if (Date.now() < this.#nextPrune) return
    const pruned = await prunePublished(this.#options.database, pruneRows)
    // More to prune: after the next batch, so that nobody's change waits for it.
    if (pruned < pruneRows) this.#nextPrune = Date.now() + pruneEveryMs
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
