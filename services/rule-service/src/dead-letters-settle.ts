import type { DeadLettersSettled } from '@tocsin/contracts/dead-letter'
import { topics } from '@tocsin/contracts/topics'
import { refusal } from '@tocsin/http/problems'
import type { KafkaClient } from '@tocsin/kafka/client'
import { MessagesRefused } from '@tocsin/kafka/kafka-errors'
import type { OutgoingMessage, Producer } from '@tocsin/kafka/producer'
import type { Database, Queryable } from '@tocsin/postgres/database'
import {
  countUnreplayable,
  type DeadLetterFilter,
  type DeadLetterRecord,
  type DeadLetterRow,
  findDeadLetter,
  type HeldLetter,
  holdWaiting,
  newestDeadLetter,
  readRecords,
  type Selection,
  settle,
} from './dead-letters-store.ts'
import { noSuch } from './not-found.ts'

export interface SettleOptions {
  database: Database
  producer: Producer
  kafka: Pick<KafkaClient, 'topic'>
  /** For tests. */
  callRows?: number
}

/** A call ends before people and proxies lose patience; whoever has more to do calls again. */
const usualCallRows = 1_000
const batchRows = 100
/** Of values that are in memory, and on their way to Kafka, at the same time. */
const batchBytes = 4 * 1024 * 1024
/** Rows are held while the producer waits for Kafka, which it does for 5 s: a copy that sleeps must not hold them longer. */
const begin = 'BEGIN; SET LOCAL idle_in_transaction_session_timeout = 8000'

/**
 * Puts letters back or away. A replay publishes first and marks afterwards, with the rows locked: who dies in between
 * leaves letters that wait and are published a second time, which the pipeline absorbs as it does every record that comes
 * twice. The other way round they would be lost.
 */
export class Settler {
  readonly #options: SettleOptions
  /** Where a consumer of ours reads. `dead.letters` is none of them: what cannot be read there was never a letter. */
  readonly #topics: readonly string[]

  constructor(options: SettleOptions) {
    this.#options = options
    const { topic } = options.kafka
    const { ruleChanged, alertsNew, alertsMatched, notificationsReady } = topics
    this.#topics = [ruleChanged, alertsNew, alertsMatched, notificationsReady].map(topic)
  }

  async replay(id: string, by: string): Promise<DeadLetterRow> {
    return this.#one(id, 'replayed', by, async letter => {
      this.#requireReplayable(letter)
      const { refused } = await this.#publish([letter])
      if (refused.length > 0)
        throw cannot(id, 'be replayed', 'kafka_refuses', `Kafka refuses it: ${refused[0]!.reason}`)
    })
  }

  async discard(id: string, by: string): Promise<DeadLetterRow> {
    return this.#one(id, 'discarded', by, async () => {})
  }

  async replayAll(filter: DeadLetterFilter, upTo: string | undefined, by: string): Promise<DeadLettersSettled> {
    let refused = 0
    const settled = await this.#many(filter, upTo, this.#topics, async (client, held) => {
      const letters = await readRecords(
        client,
        held.map(letter => letter.dead_letter_id),
      )
      const published = await this.#publish(letters)
      refused += published.refused.length
      await settle(client, published.ids, { state: 'replayed', by })
      return published.ids.length
    })
    const { database } = this.#options
    const selection = settled.up_to === null ? undefined : { ...filter, upTo: settled.up_to }
    const unreplayable = selection ? await countUnreplayable(database, selection, this.#topics) : 0
    return { ...settled, skipped: refused + unreplayable }
  }

  async discardAll(filter: DeadLetterFilter, upTo: string | undefined, by: string): Promise<DeadLettersSettled> {
    return this.#many(filter, upTo, undefined, async (client, held) => {
      const ids = held.map(letter => letter.dead_letter_id)
      await settle(client, ids, { state: 'discarded', by })
      return ids.length
    })
  }

  async #one(
    id: string,
    state: 'replayed' | 'discarded',
    by: string,
    work: (letter: DeadLetterRow & DeadLetterRecord) => Promise<void>,
  ): Promise<DeadLetterRow> {
    return this.#options.database.transaction(async client => {
      const letter = await findDeadLetter(client, id, 'FOR UPDATE')
      if (letter === undefined) throw noSuch('dead letter', id)
      if (letter.state !== 'waiting') throw cannot(id, `be ${state}`, letter.state, `it is ${letter.state} already`)
      await work(letter)
      await settle(client, [id], { state, by })
      return (await findDeadLetter(client, id))!
    }, begin)
  }

  /** In batches, each in its own transaction, oldest first, up to the newest letter that there was in the beginning. */
  async #many(
    filter: DeadLetterFilter,
    upTo: string | undefined,
    only: readonly string[] | undefined,
    work: (client: Queryable, held: readonly HeldLetter[]) => Promise<number>,
  ): Promise<DeadLettersSettled> {
    const { database, callRows = usualCallRows } = this.#options
    const newest = upTo ?? (await newestDeadLetter(database))
    if (newest === undefined) return { settled: 0, skipped: 0, more: false, up_to: null }
    const selection: Selection = { ...filter, upTo: newest }
    let settled = 0
    for (let seen = 0, after = ''; ; ) {
      const limit = Math.min(batchRows, callRows - seen)
      if (limit === 0) return { settled, skipped: 0, more: true, up_to: newest }
      const held = await database.transaction(async client => {
        const letters = withinBytes(
          await holdWaiting(client, selection, { after, limit, ...(only && { topics: only }) }),
        )
        if (letters.length > 0) settled += await work(client, letters)
        return letters
      }, begin)
      if (held.length === 0) return { settled, skipped: 0, more: false, up_to: newest }
      seen += held.length
      after = held.at(-1)!.dead_letter_id
    }
  }

  /** Resolves when Kafka has acknowledged them, all but those that it refuses. */
  async #publish(letters: readonly (DeadLetterRecord & { dead_letter_id: string; source_topic: string })[]) {
    const refused = new Map<number, string>()
    try {
      await this.#options.producer.send(letters.map(originalRecord))
    } catch (error) {
      if (!(error instanceof MessagesRefused)) throw error
      for (const one of error.refused) refused.set(one.index, one.error.message)
    }
    return {
      ids: letters.flatMap(({ dead_letter_id }, index) => (refused.has(index) ? [] : [dead_letter_id])),
      refused: Array.from(refused, ([index, reason]) => ({ id: letters[index]!.dead_letter_id, reason })),
    }
  }

  #requireReplayable({ dead_letter_id: id, value_omitted, source_topic: topic }: DeadLetterRow): void {
    if (value_omitted) {
      throw cannot(id, 'be replayed', 'value_omitted', 'its record was too large to be kept; it is only at its source')
    }
    if (!this.#topics.includes(topic)) {
      const why = `it comes from ${topic}; only ${this.#topics.join(', ')} are read by a service`
      throw cannot(id, 'be replayed', 'foreign_topic', why)
    }
  }
}

function cannot(id: string, what: string, reason: string, why: string) {
  return refusal('conflict', `dead letter ${id} cannot ${what}: ${why}`, { reason })
}

/** Always one, however large. */
function withinBytes(letters: readonly HeldLetter[]): HeldLetter[] {
  let sum = 0
  return letters.filter(({ bytes }, index) => {
    sum += bytes
    return index === 0 || sum <= batchBytes
  })
}

/**
 * As it was, with one exception: a header without a value becomes one with an empty value, because kafkajs fails on the
 * former.
 */
export function originalRecord(letter: DeadLetterRecord & { source_topic: string }): OutgoingMessage {
  const { source_topic: topic, key, value } = letter
  const named = Map.groupBy(letter.headers, header => header.name)
  const headers = Object.fromEntries(
    Array.from(named, ([name, all]) => {
      return [name, all.map(header => Buffer.from(header.value ?? '', 'base64'))]
    }),
  )
  return { topic, key, value, headers }
}
