import { counter, gauge, histogramSeconds } from '@tocsin/runtime/metrics'
import { codeOf } from './failure.ts'
import type { Batch, KafkaRecord, TopicPartition } from './source.ts'

const records = counter('tocsin_consumer_records_total', 'Records handled', ['stage'])
const rejected = counter('tocsin_consumer_rejected_total', 'Records sent to the dead letters', ['stage', 'code'])
const retries = counter('tocsin_consumer_retries_total', 'Batches or rejections tried again', ['stage'])
const seconds = histogramSeconds('tocsin_consumer_batch_duration_seconds', 'From batch read to committed', ['stage'])
const lag = gauge(
  'tocsin_consumer_lag_records',
  'Records not handled yet, as of the last batch read from the partition',
  ['stage', 'topic', 'partition'],
)

const since = gauge(
  'tocsin_consumer_lag_since_seconds',
  'Unix time of the oldest record not handled yet, as of the last batch read from the partition; 0: there is none',
  ['stage', 'topic', 'partition'],
)

/** What one stage tells Prometheus. */
export class ConsumerMeters {
  readonly #stage: string
  #lags = new Map<string, { topic: string; partition: string }>()

  constructor(stage: string) {
    this.#stage = stage
  }

  /** Called with a batch read; what it returns, when it is committed or given back. */
  began(batch: Batch): () => void {
    const place = { topic: batch.topic, partition: String(batch.partition) }
    const took = seconds.startTimer({ stage: this.#stage })
    this.#lags.set(keyOf(batch), place)
    const [first, last] = [batch.records[0]!, batch.records.at(-1)!]
    this.#tellLag(place, batch.highWatermark - first.offset, first)
    return () => {
      took()
      // A partition that has gone meanwhile has its lag told by its new owner.
      if (!this.#lags.has(keyOf(batch)) || batch.handover.aborted) return
      this.#tellLag(place, batch.highWatermark - last.offset - 1, last)
    }
  }

  /** The next record is no older than the last one that was handled, as far as producers' clocks can be believed. */
  #tellLag(place: { topic: string; partition: string }, behind: number, { timestamp }: KafkaRecord): void {
    const labels = { stage: this.#stage, ...place }
    lag.set(labels, behind)
    since.set(labels, behind > 0 ? Math.max(0, timestamp / 1_000) : 0)
  }

  assigned(partitions: readonly TopicPartition[]): void {
    const ours = new Set(partitions.map(keyOf))
    for (const [key, place] of this.#lags) {
      if (ours.has(key)) continue
      lag.remove({ stage: this.#stage, ...place })
      since.remove({ stage: this.#stage, ...place })
      this.#lags.delete(key)
    }
  }

  handled(count: number): void {
    records.inc({ stage: this.#stage }, count)
  }

  retried(): void {
    retries.inc({ stage: this.#stage })
  }

  rejected(error: unknown): string {
    const code = codeOf(error)
    rejected.inc({ stage: this.#stage, code })
    return code
  }
}

function keyOf({ topic, partition }: TopicPartition): string {
  return `${topic}/${partition}`
}
