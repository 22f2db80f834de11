import { type DeadLetter, deadLetterSchema } from '@tocsin/contracts/dead-letter'
import { decodeMessage, InvalidMessage } from '@tocsin/contracts/decode'
import { topics } from '@tocsin/contracts/topics'
import type { KafkaClient } from '@tocsin/kafka/client'
import { consume, type Stage } from '@tocsin/kafka/consume'
import type { Rejection } from '@tocsin/kafka/failure'
import { createKafkaSource } from '@tocsin/kafka/kafkajs-source'
import type { KafkaRecord, Source } from '@tocsin/kafka/source'
import type { Queryable } from '@tocsin/postgres/database'
import { backoffMs, pause } from '@tocsin/runtime/backoff'
import { messageOf } from '@tocsin/runtime/errors'
import type { Logger } from '@tocsin/runtime/logger'
import { counter } from '@tocsin/runtime/metrics'
import { upsertDeadLetters } from './dead-letters-store.ts'

const unreadable = counter('tocsin_dead_letters_unreadable_total', 'records on dead.letters that are no dead letters')

/**
 * Until stopping. It is no part of `/ready`: rules are written and letters shown without it, and a copy that is taken out
 * of a balancer because its group rebalances would help nobody.
 */
export function mirrorDeadLetters(kafka: KafkaClient, db: Queryable, stopping: AbortSignal): Promise<void> {
  const { log } = kafka
  const source = createKafkaSource(kafka, {
    groupId: kafka.group('dead-letters'),
    topics: [kafka.topic(topics.deadLetters)],
  })
  return runMirror(source, createMirror(db, log), { log, stopping })
}

/** A dead letter, or why the record is none. */
type Read = DeadLetter | InvalidMessage

/** Rows first, then (in `consume`) the offset: whoever dies in between writes the same rows once more. */
export function createMirror(db: Queryable, log: Logger): Stage<Read> {
  return {
    name: 'dead-letters',
    decode: readDeadLetter,
    async handle(events) {
      const letters: DeadLetter[] = []
      for (const { value, record } of events) {
        if (value instanceof InvalidMessage) stepOver(record, value, log)
        else letters.push(value)
      }
      await upsertDeadLetters(db, letters)
    },
  }
}

/**
 * A record that cannot be read is no rejection: that would write it to the very topic from which it came, larger each
 * time, to be read and rejected again for ever. Only a stranger can have put it there, and it stays there.
 */
function readDeadLetter(record: KafkaRecord): Read {
  try {
    const letter = decodeMessage(deadLetterSchema, record.value)
    return { ...letter, ...storableTimes(letter), source: { ...letter.source, timestamp: sourceTime(letter) } }
  } catch (error) {
    if (error instanceof InvalidMessage) return error
    throw error
  }
}

function stepOver({ topic, partition, offset }: KafkaRecord, { code, message }: InvalidMessage, log: Logger): void {
  unreadable.inc()
  log.warn({ topic, partition, offset, code, error: message }, 'a record that is no dead letter is stepped over')
}

function storableTimes({ first_failed_at, last_failed_at }: DeadLetter) {
  return { first_failed_at: storableTime(first_failed_at), last_failed_at: storableTime(last_failed_at) }
}

function sourceTime({ source }: DeadLetter): string | null {
  return source.timestamp === null ? null : storableTime(source.timestamp)
}

/** RFC 3339 has a year 0 and Postgres has none; and an offset can lead out of the years that have four digits. */
function storableTime(text: string): string {
  const date = new Date(text)
  const year = date.getUTCFullYear()
  if (year >= 1 && year <= 9_999) return date.toISOString()
  throw new InvalidMessage('not_the_schema', `${text} is no time that can be stored`)
}

/** Whatever is wrong with the mirror, somebody has to put it right. */
const backoffCapMs = 60_000

/**
 * Never ends before stopping, and never fails: the API serves rules, and must not go down with a table that people look
 * at. A row that Postgres refuses is a bug, because every text and number is made storable beforehand; so the mirror stays
 * where it is and tries again, and steps over nothing. Its lag shows it (`tocsin_consumer_lag_records`).
 */
export async function runMirror(
  source: Source,
  stage: Stage<Read>,
  { log, stopping, capMs = backoffCapMs }: { log: Logger; stopping: AbortSignal; capMs?: number },
): Promise<void> {
  for (let failures = 0; !stopping.aborted; ) {
    const startedAt = Date.now()
    try {
      await consume(source, stage, { log, stopping, reject: hold })
    } catch (error) {
      failures = Date.now() - startedAt > 2 * capMs ? 1 : failures + 1
      log.error({ err: error, failures }, 'dead letters are not mirrored; trying again')
      await pause(backoffMs(failures, { baseMs: 1_000, capMs }), stopping)
    }
  }
}

/** Nothing is ever rejected on purpose, see `readDeadLetter`; thrown, so that the offset stays before these records. */
async function hold(rejections: readonly Rejection[]): Promise<void> {
  const [first] = rejections
  throw new Error(`${rejections.length} dead letters cannot be stored: ${messageOf(first?.failure.error)}`, {
    cause: first?.failure.error,
  })
}
