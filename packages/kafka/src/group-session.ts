import { backoffMs } from '@tocsin/runtime/backoff'
import { messageOf } from '@tocsin/runtime/errors'
import type { Logger } from '@tocsin/runtime/logger'
import type { Consumer, EachBatchPayload } from 'kafkajs'
import type { KafkaClient } from './client.ts'
import { isFenced, isRebalancing } from './kafka-errors.ts'
import { createKafkajs } from './kafkajs-client.ts'
import { toRecords } from './kafkajs-records.ts'
import { SharedCommits } from './shared-commits.ts'
import type { SourceHandler, TopicPartition } from './source.ts'

export interface SessionOptions {
  groupId: string
  topics: readonly string[]
  sessionTimeoutMs: number
  /** A batch that takes longer stops holding up the other partitions. */
  holdMs: number
}

/** The handler threw: the one thing that a new session does not mend. */
export class HandlerFailed extends Error {}

/** Thrown where kafkajs is about to rejoin, while batches are in hand; it asks again, 200 ms to 1 s later. */
class StillDraining extends Error {}

/** How long the members of a group may take to finish what they hold before the group goes on without them. */
const rebalanceTimeoutMs = 60_000
/** Often, because it is also how soon a rebalance is noticed, and so how long others wait for us. */
const heartbeatMs = 1_000
/** No heartbeat answered and no group joined for so long means that kafkajs is stuck: longer than a rebalance may last. */
const stuckMs = rebalanceTimeoutMs + 30_000
const leaveTimeoutMs = 3_000
/** Three heartbeats, the next of which should make kafkajs rejoin once we were put out of the group. */
const rejoinMs = 3 * heartbeatMs

/** A batch in hand. */
interface Held {
  generation: number
  handover: AbortController
  done: Promise<void>
  finished: boolean
  heartbeat(): Promise<void>
  resume?: () => void
}

/**
 * One membership of a consumer group, from connecting to leaving, over one kafkajs consumer.
 *
 * Reading: kafkajs fetches for all partitions, hands out one batch each, and fetches again when all are back. A batch
 * that is not back after `holdMs` (a slow one, or one in back-off) is therefore let go of: its partition is paused and
 * the others go on; when it is done the partition is resumed.
 *
 * Rebalance: heartbeats tell. From then on no new batch is begun, and those in hand have their `handover` fired; what
 * they finish they can still commit, because the group waits for us to rejoin, and we rejoin when nothing is in hand.
 * A new generation (or an expired session) makes the commits of older batches void. A heartbeat that is answered before
 * that ends it.
 *
 * Put out: the broker refuses a commit or a heartbeat. From then on no new batch is begun here either, until kafkajs
 * has joined again. It fetches nothing while it joins, so one that still fetches after `rejoinMs` has forgotten that it
 * is no member (2.2.4 does when a join fails for another reason, such as a broker that still loads the group: it then
 * goes on reading, with no heartbeat): the session ends, and the next one joins.
 *
 * Stop: the same, and then leave.
 */
export class GroupSession {
  readonly #client: KafkaClient
  readonly #log: Logger
  readonly #options: SessionOptions
  readonly #handler: SourceHandler
  readonly #held = new Map<string, Held>()
  readonly #ended = Promise.withResolvers<void>()
  #commits: SharedCommits | undefined
  /** 0 until the group was joined once. */
  #generation = 0
  #draining = false
  /** When the broker refused us in this generation. */
  #expelledAt: number | undefined
  #closing = false
  #aliveAt = Date.now()
  #silent = false

  constructor(client: KafkaClient, options: SessionOptions, handler: SourceHandler) {
    this.#client = client
    this.#log = client.log.child({ group: options.groupId })
    this.#options = options
    this.#handler = handler
    this.#ended.promise.catch(() => {}) // awaited in `run`
  }

  /** Undefined while this is a working member; else what is missing. */
  get trouble(): string | undefined {
    if (this.#generation === 0) return 'joining'
    if (this.#closing) return 'leaving'
    return this.#silentMs > this.#options.sessionTimeoutMs ? `no heartbeat for ${this.#silentMs} ms` : undefined
  }

  get #silentMs(): number {
    return Date.now() - this.#aliveAt
  }

  get everJoined(): boolean {
    return this.#generation > 0
  }

  /** Resolves when stopped; rejects when the session broke, with HandlerFailed when the handler threw. */
  async run(stopping: AbortSignal): Promise<void> {
    const { kafkajs, destroy } = createKafkajs(this.#client)
    const consumer = kafkajs.consumer({
      groupId: this.#options.groupId,
      sessionTimeout: this.#options.sessionTimeoutMs,
      rebalanceTimeout: rebalanceTimeoutMs,
      heartbeatInterval: heartbeatMs,
      // Fetches answer as soon as there is a byte. The wait without data bounds how long a stop, a rebalance or a
      // partition that is resumed waits for a fetch under way.
      minBytes: 1,
      maxWaitTimeInMs: 500,
      maxBytesPerPartition: 1024 * 1024,
      maxBytes: 4 * 1024 * 1024,
      allowAutoTopicCreation: false,
      // Many, because StillDraining uses them up; a restart is our business.
      retry: { retries: 1_000, initialRetryTime: 200, maxRetryTime: 1_000, restartOnFailure: async () => false },
    })
    this.#listen(consumer)
    const stop = () => this.#ended.resolve()
    stopping.addEventListener('abort', stop, { once: true })
    if (stopping.aborted) stop()
    const beat = setInterval(() => this.#beat(), heartbeatMs)
    const started = this.#start(consumer).catch(error => this.#ended.reject(error))
    try {
      await this.#ended.promise
    } finally {
      stopping.removeEventListener('abort', stop)
      this.#closing = true
      this.#handOver()
      await Promise.all(Array.from(this.#held.values(), held => held.done))
      clearInterval(beat)
      await this.#leave(consumer, started, destroy)
    }
  }

  #listen(consumer: Consumer): void {
    const { CRASH, FETCH_START, GROUP_JOIN, HEARTBEAT, REBALANCING } = consumer.events
    consumer.on(CRASH, ({ payload }) => this.#ended.reject(payload.error))
    consumer.on(HEARTBEAT, () => this.#heartbeatAnswered())
    consumer.on(GROUP_JOIN, ({ payload }) => this.#joined(payload.memberAssignment))
    consumer.on(FETCH_START, () => this.#fetching())
    // kafkajs emits this synchronously right before it rejoins, so what is thrown here keeps it from rejoining yet.
    consumer.on(REBALANCING, () => {
      this.#handOver()
      if (this.#held.size > 0) throw new StillDraining()
    })
  }

  async #start(consumer: Consumer): Promise<void> {
    await consumer.connect()
    await consumer.subscribe({ topics: [...this.#options.topics], fromBeginning: true })
    await consumer.run({
      autoCommit: false,
      eachBatchAutoResolve: false,
      partitionsConsumedConcurrently: 9,
      eachBatch: payload => this.#eachBatch(payload),
    })
  }

  #joined(assignment: Record<string, number[]>): void {
    this.#generation++
    this.#alive()
    // What is still in hand now was lost with the old generation.
    for (const { handover } of this.#held.values()) handover.abort()
    this.#draining = this.#closing
    this.#expelledAt = undefined
    const partitions = Object.entries(assignment).flatMap(([topic, ofTopic]) =>
      ofTopic.map(partition => ({ topic, partition })),
    )
    this.#log.info({ partitions: partitions.map(keyOf) }, 'partitions assigned')
    this.#handler.assigned?.(partitions)
  }

  /**
   * Taken for a member of this generation: what looked like a rebalance is none, and nothing will make us join. Seen
   * after kill -9 of a broker, which loads the group, gives it up and loads it again within a second: kafkajs takes
   * "not the coordinator" for a rebalance too.
   */
  #heartbeatAnswered(): void {
    this.#alive()
    if (this.#expelledAt === undefined) this.#draining = this.#closing
  }

  #alive(): void {
    if (this.#silent) this.#log.info({ silentMs: this.#silentMs }, 'Kafka answers again')
    this.#silent = false
    this.#aliveAt = Date.now()
  }

  /** kafkajs heartbeats between batches only; while batches are in hand we do, for as long as they take. */
  #beat(): void {
    if (this.#silentMs > stuckMs) this.#ended.reject(new Error(`no heartbeat for ${stuckMs} ms`))
    if (this.#silentMs > this.#options.sessionTimeoutMs && !this.#silent) {
      this.#silent = true
      this.#log.warn('no heartbeat is answered: Kafka is away, or a rebalance takes long')
    }
    const [held] = this.#held.values()
    held?.heartbeat().catch(error => {
      if (isFenced(error)) this.#expelled()
      else if (isRebalancing(error)) this.#handOver()
      else this.#log.debug({ error: messageOf(error) }, 'heartbeat failed')
    })
  }

  #handOver(): void {
    this.#draining = true
    for (const { handover } of this.#held.values()) handover.abort()
  }

  #expelled(): void {
    this.#expelledAt ??= Date.now()
    this.#handOver()
  }

  #fetching(): void {
    if (this.#expelledAt === undefined || Date.now() - this.#expelledAt < rejoinMs) return
    this.#ended.reject(new Error('put out of the group, and not joined again'))
  }

  async #eachBatch(payload: EachBatchPayload): Promise<void> {
    const key = keyOf(payload.batch)
    // Not resolved, so it is fetched again; the wait keeps that from happening in a hot loop.
    if (this.#draining || this.#held.has(key)) return wait(100)
    const held = this.#hold(key, payload)
    await Promise.race([held.done, wait(this.#options.holdMs, held.done)])
    if (!held.finished) held.resume = payload.pause()
  }

  #hold(key: string, payload: EachBatchPayload): Held {
    const held: Held = {
      generation: this.#generation,
      handover: new AbortController(),
      done: Promise.resolve(),
      finished: false,
      heartbeat: payload.heartbeat,
    }
    this.#held.set(key, held)
    held.done = this.#handle(payload, held).then(() => {
      held.finished = true
      this.#held.delete(key)
      held.resume?.()
    })
    return held
  }

  async #handle(payload: EachBatchPayload, held: Held): Promise<void> {
    const { topic, partition, messages, highWatermark } = payload.batch
    try {
      await this.#handler.batch({
        topic,
        partition,
        records: toRecords(topic, partition, messages),
        highWatermark: Number(highWatermark),
        handover: held.handover.signal,
        commit: nextOffset => this.#commit(payload, held, nextOffset),
      })
    } catch (error) {
      this.#ended.reject(new HandlerFailed('the handler failed', { cause: error }))
      this.#handOver() // the others may be in a back-off without end
    }
  }

  async #commit(payload: EachBatchPayload, held: Held, nextOffset: number): Promise<void> {
    const { topic, partition, messages } = payload.batch
    // Any payload will do: all of them commit for the one consumer that there is.
    this.#commits ??= new SharedCommits(request => payload.commitOffsetsIfNecessary(request))
    const commits = this.#commits
    const isLast = Number(messages.at(-1)?.offset) === nextOffset - 1
    // Control records of transactions follow the last record unseen; without them the group would look behind.
    const offset = isLast ? String(BigInt(payload.batch.lastOffset()) + 1n) : String(nextOffset)
    for (let attempt = 1; ; attempt++) {
      if (held.generation !== this.#generation) return this.#dropped(payload, 'the group has a new generation')
      try {
        // Not consumer.commitOffsets: that one silently does nothing once the consumer was told to stop.
        await commits.commit({ topic, partition, offset }, () => held.generation === this.#generation)
        if (held.generation === this.#generation) payload.resolveOffset(String(nextOffset - 1))
        return
      } catch (error) {
        // Brokers take commits while they wait for the members to rejoin, so REBALANCE_IN_PROGRESS means that the next
        // generation has begun without us, as much as the fenced ones do.
        if (isFenced(error) || isRebalancing(error)) {
          if (held.generation === this.#generation) this.#expelled()
          return this.#dropped(payload, messageOf(error))
        }
        if (this.#closing && attempt >= 3) return this.#dropped(payload, messageOf(error))
        await wait(backoffMs(attempt, { capMs: 1_000 }))
      }
    }
  }

  #dropped({ batch: { topic, partition } }: EachBatchPayload, reason: string): void {
    this.#log.debug({ topic, partition, reason }, 'commit dropped')
  }

  async #leave(consumer: Consumer, started: Promise<void>, destroy: () => void): Promise<void> {
    // Disconnecting while the first join is under way would leave a consumer behind that goes on by itself.
    await Promise.race([started, wait(leaveTimeoutMs, started)])
    const left = consumer.disconnect().catch(error => this.#log.debug({ error: messageOf(error) }, 'leaving failed'))
    await Promise.race([left, wait(leaveTimeoutMs, left)])
    destroy()
    void started.then(() => consumer.stop()).catch(() => {})
  }
}

function keyOf({ topic, partition }: TopicPartition): string {
  return `${topic}/${partition}`
}

/** Resolves after a time, or sooner without leaving a timer behind when `sooner` settles. */
function wait(ms: number, sooner?: Promise<unknown>): Promise<void> {
  return new Promise(resolve => {
    const timer = setTimeout(resolve, ms)
    const cancel = () => {
      clearTimeout(timer)
      resolve()
    }
    sooner?.then(cancel, cancel)
  })
}
