import { backoffMs, pause } from '@tocsin/runtime/backoff'
import { AppError } from '@tocsin/runtime/errors'
import { counter, histogramSeconds } from '@tocsin/runtime/metrics'
import type { KafkaClient } from './client.ts'
import type { Compression } from './codecs.ts'
import { MessagesRefused, type Refused } from './kafka-errors.ts'
import { type Addressed, ProduceRequests } from './kafkajs-producer.ts'

export interface OutgoingMessage {
  topic: string
  /** Decides the partition, so it keeps order; null spreads messages evenly. */
  key: string | Buffer | null
  value: string | Buffer | null
  /** A name with several values is several headers. */
  headers?: Readonly<Record<string, string | Buffer | (string | Buffer)[]>>
  /** Milliseconds since 1970; the time of sending when not given. */
  timestamp?: number
}

export interface SentMessage {
  topic: string
  partition: number
  offset: number
}

export interface Producer {
  /**
   * Resolves when every replica in sync has every message, with the place of each, in the order given. Rejects with
   * an AppError: retryable (`kafka_unavailable`, `kafka_topic_missing`, …) when the deadline passed, and then nobody
   * knows whether some messages are in the log; MessagesRefused when Kafka refuses some, and then all others are there.
   */
  send(messages: readonly OutgoingMessage[]): Promise<SentMessage[]>
  /** Waits for what was sent, within its deadline, and disconnects. */
  close(): Promise<void>
}

export interface ProducerOptions {
  /** How long `send` may take before it rejects; meanwhile failures of Kafka are repeated. */
  deadlineMs?: number
  compression?: Compression
  /** What may wait to be sent while Kafka is slow or away; above it `send` rejects at once. */
  queuedBytesMax?: number
}

const requestSeconds = histogramSeconds('tocsin_producer_request_duration_seconds', 'One produce request to Kafka')
const sentTotal = counter('tocsin_producer_records_total', 'Records acknowledged by Kafka', ['topic'])
const failuresTotal = counter('tocsin_producer_failures_total', 'Failed produce requests, repeated or not', ['code'])

/** Brokers refuse a batch of one partition above 1 MiB (`max.message.bytes`), however small its records are. */
const partitionBytesMax = 900 * 1024
/** A topic made a moment ago is unknown to brokers for some 100 ms; these attempts take a second. */
const missingTopicAttempts = 5
/** kafkajs copies it three times before it is on the wire, into buffers that grow by doubling. */
const requestBytesMax = 4 * 1024 * 1024

/**
 * Callers share produce requests without waiting for each other: whatever arrives while a request is under way goes
 * into the next one. There is no timer; one message on an idle producer leaves at once.
 *
 * One request is in flight at a time, so messages reach each partition in the order of the `send` calls, also across
 * callers and across repeats. Trap, seen: the idempotent producer of kafkajs with two sends in flight acknowledges
 * records that the log never gets when a response is lost. This one is not idempotent: a lost response means that
 * records are repeated, which the database absorbs.
 */
export function createProducer(client: KafkaClient, options: ProducerOptions = {}): Producer {
  return new BatchingProducer(client, options)
}

/** One `send`: settled by the last of its messages, or by its deadline. */
interface Send {
  places: (SentMessage | undefined)[]
  refused: Refused[]
  missing: number
  settled: boolean
  resolve(): void
  reject(error: AppError): void
  lastFailure?: AppError
}

interface Entry {
  message: Addressed
  send: Send
  index: number
}

class BatchingProducer implements Producer {
  readonly #requests: ProduceRequests
  readonly #client: KafkaClient
  readonly #deadlineMs: number
  readonly #queuedBytesMax: number
  readonly #closing = new AbortController()
  #queue: Entry[] = []
  #queuedBytes = 0
  #loop: Promise<void> | undefined
  #away = false

  constructor(client: KafkaClient, { deadlineMs = 10_000, compression = 'none', queuedBytesMax }: ProducerOptions) {
    this.#client = client
    this.#requests = new ProduceRequests(client, compression)
    this.#deadlineMs = deadlineMs
    this.#queuedBytesMax = queuedBytesMax ?? 64 * 1024 * 1024
  }

  async send(messages: readonly OutgoingMessage[]): Promise<SentMessage[]> {
    if (messages.length === 0) return []
    if (this.#closing.signal.aborted) throw unavailable('the producer is closed')
    if (this.#queuedBytes > this.#queuedBytesMax) throw unavailable(`${this.#queuedBytes} bytes wait to be published`)
    const { promise, resolve, reject } = Promise.withResolvers<SentMessage[]>()
    const send: Send = {
      places: [],
      refused: [],
      missing: messages.length,
      settled: false,
      resolve: done,
      reject: failed,
    }
    const deadline = setTimeout(
      () => failed(send.lastFailure ?? unavailable(`no acknowledgement within ${this.#deadlineMs} ms`)),
      this.#deadlineMs,
    )
    function done() {
      const [first, ...more] = send.refused
      if (first) return failed(new MessagesRefused([first, ...more]))
      if (send.settled) return
      send.settled = true
      clearTimeout(deadline)
      resolve(send.places as SentMessage[])
    }
    function failed(error: AppError) {
      if (send.settled) return
      send.settled = true
      clearTimeout(deadline)
      reject(error)
    }
    for (const [index, message] of messages.entries()) {
      const addressed = this.#requests.address(message)
      this.#queuedBytes += addressed.bytes
      this.#queue.push({ message: addressed, send, index })
    }
    this.#loop ??= this.#run()
    return promise
  }

  async close(): Promise<void> {
    this.#closing.abort()
    await this.#loop
    await this.#requests.close()
  }

  async #run(): Promise<void> {
    // What this very turn of the event loop still sends belongs into the first request as well.
    await Promise.resolve()
    while (this.#queue.length > 0) await this.#deliver(this.#next())
    this.#loop = undefined
  }

  /** As much of the queue's head as fits into one request. */
  #next(): Entry[] {
    const partitionBytes = new Map<string, number>()
    let requestBytes = 0
    let taken = 0
    for (const { message } of this.#queue) {
      const place = `${message.topic}/${message.partition ?? '?'}`
      const bytes = (partitionBytes.get(place) ?? 0) + message.bytes
      if (taken > 0 && (bytes > partitionBytesMax || requestBytes + message.bytes > requestBytesMax)) break
      partitionBytes.set(place, bytes)
      requestBytes += message.bytes
      taken++
    }
    const entries = this.#queue.slice(0, taken)
    this.#queue = this.#queue.slice(taken)
    this.#queuedBytes -= requestBytes
    return entries
  }

  /** Repeats until everything is written, refused, or past its caller's deadline. Never throws. */
  async #deliver(entries: readonly Entry[]): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      const wanted = entries.filter(entry => !entry.send.settled)
      if (wanted.length === 0) return
      const error = await this.#attempt(wanted)
      if (error === undefined) return
      if (!error.retryable) return this.#isolate(wanted, error)
      if (error.code === 'kafka_topic_missing' && attempt >= missingTopicAttempts) {
        return this.#isolateTopics(wanted, error)
      }
      for (const { send } of wanted) send.lastFailure = error
      await pause(backoffMs(attempt, { baseMs: 50, capMs: 1_000 }), neverAborted)
    }
  }

  async #attempt(entries: readonly Entry[]): Promise<AppError | undefined> {
    const took = requestSeconds.startTimer()
    try {
      const places = await this.#requests.produce(entries.map(entry => entry.message))
      took()
      for (const [position, entry] of entries.entries()) settle(entry, places[position]!)
      for (const [topic, ofTopic] of Map.groupBy(places, place => place.topic)) sentTotal.inc({ topic }, ofTopic.length)
      if (this.#away) this.#client.log.info('publishing to Kafka works again')
      this.#away = false
      return undefined
    } catch (error) {
      const failure = error as AppError
      failuresTotal.inc({ code: failure.code })
      if (failure.retryable && !this.#away) {
        this.#away = true
        this.#client.log.warn({ code: failure.code, error: failure.message }, 'publishing to Kafka fails; repeating')
      }
      return failure
    }
  }

  /** A topic that stays missing must not hold up the others until its callers' deadlines. */
  async #isolateTopics(entries: readonly Entry[], error: AppError): Promise<void> {
    const topics = Map.groupBy(entries, entry => entry.message.topic)
    if (topics.size === 1) for (const { send } of entries) send.reject(error)
    else for (const ofTopic of topics.values()) await this.#deliver(ofTopic)
  }

  /** A refusal hits all who share the request: halve it until the culprit is alone. Left before right keeps the order. */
  async #isolate(entries: readonly Entry[], error: AppError): Promise<void> {
    const [only] = entries
    if (entries.length === 1 && only) return refuse(only, error)
    const middle = entries.length >> 1
    await this.#deliver(entries.slice(0, middle))
    await this.#deliver(entries.slice(middle))
  }
}

const neverAborted = new AbortController().signal

function settle({ send, index }: Entry, place: SentMessage): void {
  send.places[index] = place
  if (--send.missing === 0) send.resolve()
}

function refuse({ send, index }: Entry, error: AppError): void {
  send.refused.push({ index, error })
  if (--send.missing === 0) send.resolve()
}

function unavailable(reason: string): AppError {
  return new AppError('kafka_unavailable', `publishing to Kafka: ${reason}`, { retryable: true })
}
