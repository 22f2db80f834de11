import type { KafkaRecord } from './source.ts'

/** A header as text. When a name comes twice the last one counts, as in the Java client's `lastHeader`. */
export function headerText(record: Pick<KafkaRecord, 'headers'>, name: string): string | undefined {
  return record.headers.findLast(header => header.name === name)?.value?.toString('utf8')
}

/** All headers as text. What has no value is left out. */
export function headersText(record: Pick<KafkaRecord, 'headers'>): Map<string, string> {
  const texts = new Map<string, string>()
  for (const { name, value } of record.headers) {
    if (value !== null) texts.set(name, value.toString('utf8'))
  }
  return texts
}
