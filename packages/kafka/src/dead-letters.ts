import type { DeadLetter } from '@tocsin/contracts/dead-letter'
import { messageOf } from '@tocsin/runtime/errors'
import { codeOf, type Reject, type Rejection } from './failure.ts'
import { MessagesRefused } from './kafka-errors.ts'
import type { OutgoingMessage, Producer } from './producer.ts'
import type { KafkaRecord } from './source.ts'

export interface DeadLettersOptions {
  /** The full name of the topic. */
  topic: string
  service: string
  stage: string
}

/** An error's text may quote the whole record; the start of it says what is wrong. */
const messageLengthMax = 2_000

/**
 * Writes what cannot be handled to the dead letters, and resolves when it is safe there. A record that is read again
 * after a crash may get there twice: topic, partition and offset of its source tell that they are one.
 */
export function createDeadLetters(producer: Producer, options: DeadLettersOptions): Reject {
  const send = (rejections: readonly Rejection[], omitValues: boolean) =>
    producer.send(rejections.map(rejection => toMessage(rejection, options, omitValues)))
  return async rejections => {
    try {
      await send(rejections, false)
    } catch (error) {
      if (!(error instanceof MessagesRefused) || error.code !== 'kafka_record_too_large') throw error
      // A record that fits into its own topic but not into this one must not block its partition for ever.
      const tooLarge = error.refused.map(({ index }) => rejections[index]!)
      await send(tooLarge, true)
    }
  }
}

function toMessage(
  rejection: Rejection,
  { topic, service, stage }: DeadLettersOptions,
  omit: boolean,
): OutgoingMessage {
  const { record, failure } = rejection
  const letter: DeadLetter = {
    schema_version: 1,
    service,
    stage,
    source: {
      topic: record.topic,
      partition: record.partition,
      offset: record.offset,
      timestamp: timeOf(record),
      key: base64(omit ? null : record.key),
      headers: omit ? [] : record.headers.map(({ name, value }) => ({ name, value: base64(value) })),
    },
    value: base64(omit ? null : record.value),
    value_omitted: omit,
    error: { code: codeOf(failure.error), message: messageOf(failure.error).slice(0, messageLengthMax) },
    attempts: failure.attempts,
    first_failed_at: failure.firstFailedAt.toISOString(),
    last_failed_at: failure.lastFailedAt.toISOString(),
  }
  return {
    topic,
    key: omit ? null : record.key,
    value: JSON.stringify(letter),
    headers: { schema_version: '1' },
  }
}

function base64(data: Buffer | null): string | null {
  return data === null ? null : data.toString('base64')
}

/** Producers may write any 64 bits as the time; only what a calendar has can be told. */
function timeOf({ timestamp }: KafkaRecord): string | null {
  const date = new Date(timestamp)
  const year = date.getUTCFullYear()
  return timestamp < 0 || Number.isNaN(year) || year > 9999 ? null : date.toISOString()
}
