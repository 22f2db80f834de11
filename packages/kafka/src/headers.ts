import type { KafkaRecord } from './source.ts'

/** A header as text. When a name comes twice the last one counts, as in the Java client's `lastHeader`. */
export function headerText(record: Pick<KafkaRecord, 'headers'>, name: string): string | undefined {
  return record.headers.findLast(header => header.name === name)?.value?.toString('utf8')
}
