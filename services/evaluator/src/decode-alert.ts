import type { Alert } from '@tocsin/contracts/alert'
import { decodeMessage } from '@tocsin/contracts/decode'
import { alertMessageSchema } from '@tocsin/contracts/messages'
import { headerText } from '@tocsin/kafka/headers'
import type { KafkaRecord } from '@tocsin/kafka/source'

/** An alert, and the headers that go on with what becomes of it. */
export interface IncomingAlert {
  alert: Alert
  headers: Record<string, string>
}

/** The alert of a record, whoever wrote it: ours carry a version and headers, other people's may be bare JSON. */
export function decodeAlert(record: KafkaRecord): IncomingAlert {
  const { schema_version: _, event_ts, ...rest } = decodeMessage(alertMessageSchema, record.value)
  const traceparent = headerText(record, 'traceparent')
  const origin = headerText(record, 'origin') ?? 'kafka'
  return {
    alert: { ...rest, event_ts: event_ts ?? recordTime(record.timestamp) },
    headers: traceparent === undefined ? { origin } : { origin, traceparent },
  }
}

/** Clients may write any 64-bit number as a record's time, and old ones -1 for none. */
function recordTime(timestampMs: number): string {
  const time = new Date(timestampMs)
  const plausible = timestampMs > 0 && !Number.isNaN(time.getTime()) && time.getUTCFullYear() <= 9_999
  return (plausible ? time : new Date()).toISOString()
}
