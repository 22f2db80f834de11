import { problemKey } from '@tocsin/contracts/alert'
import { pointerOf } from '@tocsin/contracts/errors'
import type { IngestResult } from '@tocsin/contracts/http'
import { schemaVersion } from '@tocsin/contracts/messages'
import { topics } from '@tocsin/contracts/topics'
import type { OutgoingMessage, Producer, SentMessage } from '@tocsin/kafka/producer'
import { AppError, isRetryable } from '@tocsin/runtime/errors'
import { counter } from '@tocsin/runtime/metrics'
import { type AcceptedAlert, acceptAlert } from './accept-alert.ts'
import type { Submission } from './read-submission.ts'

export type Ingest = (submission: Submission, traceparent: string | undefined) => Promise<IngestResult[]>

const ingestedTotal = counter('tocsin_alerts_ingested_total', 'alerts that came in over HTTP, by what became of them', [
  'outcome',
])

/**
 * One promise for so many alerts. Fewer would make a deadline more exact about which alerts are in, more would be
 * cheaper: at 100 the promises and timers of 10,000 alerts cost less than a millisecond.
 */
const alertsPerSend = 100

/** Every alert gets its result in the order of the request: never "accepted" without the broker's acknowledgement. */
export function createIngest(producer: Producer, topic: string): Ingest {
  return async ({ items, single }, traceparent) => {
    const judged = items.map((item, index) => acceptAlert(item, single ? '' : pointerOf([index])))
    const accepted = judged.filter(alert => 'record' in alert)
    const headers = { schema_version: String(schemaVersion), origin: 'http', ...(traceparent && { traceparent }) }
    const sent = await sendAll(
      producer,
      accepted.map(alert => toMessage(alert, topic, headers)),
    )
    let next = 0
    const results = judged.map((alert): IngestResult => {
      if (!('record' in alert)) return { status: 'rejected', ...alert }
      return resultOf(alert.alert.alert_id, sent[next++])
    })
    for (const { status } of results) ingestedTotal.inc({ outcome: status })
    return results
  }
}

/** The place of each message, or undefined where nobody acknowledged it in time. Handed over at once and in order. */
async function sendAll(producer: Producer, messages: readonly OutgoingMessage[]): Promise<(SentMessage | undefined)[]> {
  const sends: Promise<(SentMessage | undefined)[]>[] = []
  for (let start = 0; start < messages.length; start += alertsPerSend) {
    const chunk = messages.slice(start, start + alertsPerSend)
    sends.push(producer.send(chunk).catch(error => nowhere(chunk, error)))
  }
  return (await Promise.all(sends)).flat()
}

function nowhere(chunk: readonly OutgoingMessage[], error: unknown): undefined[] {
  if (isRetryable(error)) return chunk.map(() => undefined)
  // Sizes are checked before, so this is ours to repair: a topic that takes less than it should, say.
  throw new AppError('produce_failed', 'Kafka refused an alert', { cause: error })
}

function toMessage({ alert, record }: AcceptedAlert, topic: string, headers: Record<string, string>): OutgoingMessage {
  return { topic, key: problemKey(alert), value: record, headers }
}

function resultOf(alert_id: string, place: SentMessage | undefined): IngestResult {
  if (place === undefined) {
    const message = 'not acknowledged in time: send it again with the same alert_id'
    return { status: 'unavailable', alert_id, error_code: 'unavailable', message }
  }
  const { partition, offset } = place
  return { status: 'accepted', alert_id, topic: topics.alertsNew, partition, offset: String(offset) }
}
