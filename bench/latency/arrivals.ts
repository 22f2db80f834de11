import type { TopicReader } from '@tocsin/testkit/topic-reader'

export interface Arrivals {
  /** From the time of the event to the time of the record, which the producer gives it when it sends it. */
  readonly publishedMs: number[]
  /** From the time of the event until a reader of the topic had it. */
  readonly readMs: number[]
  /** Undefined when each notification is there once. */
  readonly wrong: string | undefined
}

/**
 * What a reader saw of a topic, of the alerts that `eventAtMs` knows: the key is the alert's id, or behind `<team>:` where
 * each team has a record, so that no record need be parsed while others are timed.
 */
export function arrivalsOf(
  { records }: TopicReader,
  eventAtMs: ReadonlyMap<string, number>,
  recordsPerAlert: number,
): Arrivals {
  const publishedMs: number[] = []
  const readMs: number[] = []
  const seen = new Map<string, number>()
  for (const { key = '', timestamp, receivedAt } of records) {
    const eventAt = eventAtMs.get(key.slice(key.indexOf(':') + 1))
    if (eventAt === undefined) continue
    seen.set(key, (seen.get(key) ?? 0) + 1)
    publishedMs.push(timestamp - eventAt)
    readMs.push(receivedAt - eventAt)
  }
  return { publishedMs, readMs, wrong: whatIsWrong(seen, eventAtMs.size * recordsPerAlert) }
}

function whatIsWrong(seen: ReadonlyMap<string, number>, wanted: number): string | undefined {
  const repeated = [...seen.values()].filter(times => times > 1).length
  if (seen.size === wanted && repeated === 0) return undefined
  return `${wanted - seen.size} of ${wanted} records are missing, ${repeated} are there more than once`
}
