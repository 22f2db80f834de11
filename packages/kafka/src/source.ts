/**
 * What a Kafka client must offer, and what `consume` is written against. One adapter per client library, one in memory
 * for tests; all of them pass test/source-contract.ts.
 */

import type { AppError } from '@tocsin/runtime/errors'

export interface TopicPartition {
  readonly topic: string
  readonly partition: number
}

export interface KafkaRecord extends TopicPartition {
  /** Kafka's 64 bits in a double: a log would have to take a million records a second for 285 years to outgrow it. */
  readonly offset: number
  /** Milliseconds since 1970, as the producer or the broker set it. */
  readonly timestamp: number
  readonly key: Buffer | null
  /** null is a tombstone. */
  readonly value: Buffer | null
  /** As on the wire: a name may come more than once, a value may be null. */
  readonly headers: readonly RecordHeader[]
  /**
   * Why nobody can read the batch of which this is the last offset. The record then stands for all of that batch, and
   * has its bytes as they are in the log for a value.
   */
  readonly undecodable?: AppError | undefined
}

export interface RecordHeader {
  readonly name: string
  readonly value: Buffer | null
}

/** Consecutive records of one partition, never none. The partition's next batch comes when this one has been dealt with. */
export interface Batch extends TopicPartition {
  readonly records: readonly KafkaRecord[]
  /** The offset that the partition's next record will get: what is not handled yet is the difference to it. */
  readonly highWatermark: number
  /**
   * Fires when the partition is about to go to another member, or when stopping begins: finish and commit what is in
   * flight, but start nothing and wait for nothing. A batch given back without a commit is read again, by whoever has
   * the partition then.
   */
  readonly handover: AbortSignal
  /**
   * Everything before `nextOffset` is done with. Resolves when it is stored, or when it no longer matters because the
   * partition is not ours any more: the next owner then repeats the records, which is what at-least-once means.
   */
  commit(nextOffset: number): Promise<void>
}

export interface SourceHandler {
  /**
   * Called for batches of different partitions at once, for batches of one partition strictly one after the other.
   * Returning without a commit means: the same records again. Throwing ends `run`.
   */
  batch(batch: Batch): Promise<void>
  /** The partitions that are ours from now on, all of them; also when there are none. */
  assigned?(partitions: readonly TopicPartition[]): void
}

export interface Source {
  /**
   * Reads until `stopping` fires, then waits for the batches in hand and leaves, so that others take over at once.
   * Survives every failure of Kafka; rejects only with what the handler threw.
   */
  run(handler: SourceHandler, stopping: AbortSignal): Promise<void>
  /** For `/ready`: throws, with the reason, while this is not a working member of its group. */
  check(): void
}

/** A record is a part of all the bytes that came with it, which would be kept as long as the record is. */
export function copyOf(record: KafkaRecord): KafkaRecord {
  const copy = (bytes: Buffer | null) => bytes && Buffer.from(bytes)
  const headers = record.headers.map(({ name, value }) => ({ name, value: copy(value) }))
  return { ...record, key: copy(record.key), value: copy(record.value), headers }
}
