import type { Batch, KafkaRecord, Source, SourceHandler, TopicPartition } from './source.ts'

export interface MemoryMessage {
  key?: string | Buffer | null
  value: string | Buffer | null
  headers?: Record<string, string>
  timestamp?: number
}

/** A log and one group's place in it, in memory: for tests of stages, which need no broker. */
export interface MemorySource extends Source {
  publish(to: TopicPartition, ...messages: MemoryMessage[]): void
  /** The offset that the group goes on from. */
  committed(of: TopicPartition): number
  /** Resolves when everything published is committed. */
  drained(): Promise<void>
  /** As when another member joins: batches in hand may finish and commit, then everything is read from the commits. */
  rebalance(): void
  /** As when the session expired: what is in hand can no longer be committed. */
  expire(): void
}

export function createMemorySource({ batchRecordsMax = 100 }: { batchRecordsMax?: number } = {}): MemorySource {
  return new InMemory(batchRecordsMax)
}

class Log {
  readonly records: KafkaRecord[] = []
  committed = 0
  pumping = false
  readonly place: TopicPartition
  constructor(place: TopicPartition) {
    this.place = place
  }
}

class InMemory implements MemorySource {
  readonly #batchRecordsMax: number
  readonly #logs = new Map<string, Log>()
  #running: { handler: SourceHandler; pumps: Set<Promise<void>>; fail(error: unknown): void } | undefined
  #handover = new AbortController()
  #generation = 0
  #waiting: (() => void)[] = []

  constructor(batchRecordsMax: number) {
    this.#batchRecordsMax = batchRecordsMax
  }

  publish(to: TopicPartition, ...messages: MemoryMessage[]): void {
    const log = this.#log(to)
    for (const { key = null, value, headers = {}, timestamp = Date.now() } of messages) {
      log.records.push({
        ...log.place,
        offset: log.records.length,
        timestamp,
        key: bytes(key),
        value: bytes(value),
        headers: Object.entries(headers).map(([name, text]) => ({ name, value: bytes(text) })),
      })
    }
    this.#pump(log)
  }

  committed(of: TopicPartition): number {
    return this.#log(of).committed
  }

  async drained(): Promise<void> {
    while (Array.from(this.#logs.values()).some(log => log.committed < log.records.length)) {
      await new Promise<void>(resolve => this.#waiting.push(resolve))
    }
  }

  rebalance(): void {
    this.#handover.abort()
    this.#handover = new AbortController()
    this.#running?.handler.assigned?.(Array.from(this.#logs.values(), log => log.place))
  }

  expire(): void {
    this.#generation++
    this.rebalance()
  }

  check(): void {
    if (!this.#running) throw new Error('not running')
  }

  async run(handler: SourceHandler, stopping: AbortSignal): Promise<void> {
    if (stopping.aborted) return
    const { promise: ended, resolve, reject } = Promise.withResolvers<void>()
    const running = { handler, pumps: new Set<Promise<void>>(), fail: reject }
    this.#running = running
    this.#handover = new AbortController()
    stopping.addEventListener('abort', () => resolve(), { once: true })
    handler.assigned?.(Array.from(this.#logs.values(), log => log.place))
    for (const log of this.#logs.values()) this.#pump(log)
    try {
      await ended
    } finally {
      this.#running = undefined
      this.#handover.abort()
      await Promise.all(running.pumps)
    }
  }

  #log(place: TopicPartition): Log {
    const key = `${place.topic}/${place.partition}`
    let log = this.#logs.get(key)
    if (!log) {
      log = new Log({ topic: place.topic, partition: place.partition })
      this.#logs.set(key, log)
    }
    return log
  }

  #pump(log: Log): void {
    const running = this.#running
    if (!running || log.pumping) return
    log.pumping = true
    const pump = this.#pumpUntilEmpty(log, running.handler)
      .catch(running.fail)
      .finally(() => {
        log.pumping = false
        running.pumps.delete(pump)
        if (this.#running !== running && log.committed < log.records.length) this.#pump(log)
      })
    running.pumps.add(pump)
  }

  async #pumpUntilEmpty(log: Log, handler: SourceHandler): Promise<void> {
    await undefined
    while (this.#running?.handler === handler && log.committed < log.records.length) {
      const batch = this.#batch(log)
      await handler.batch(batch)
      // A handler that returns at once without a commit must leave room for others, as a real fetch does.
      await new Promise(setImmediate)
    }
  }

  #batch(log: Log): Batch {
    const generation = this.#generation
    return {
      ...log.place,
      records: log.records.slice(log.committed, log.committed + this.#batchRecordsMax),
      highWatermark: log.records.length,
      handover: this.#handover.signal,
      commit: async nextOffset => {
        await undefined
        if (generation !== this.#generation) return
        log.committed = nextOffset
        for (const wake of this.#waiting.splice(0)) wake()
      },
    }
  }
}

function bytes(data: string | Buffer | null): Buffer | null {
  return typeof data === 'string' ? Buffer.from(data) : data
}
