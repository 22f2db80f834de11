import type { Logger } from '@tocsin/runtime/logger'
import type { Message, PartitionMetadata, Producer } from 'kafkajs'
import type { KafkaClient } from './client.ts'
import { type Compression, compressions } from './codecs.ts'
import { toAppError } from './kafka-errors.ts'
import kafkajs from './kafkajs.ts'
import { createKafkajs, requestTimeoutMs } from './kafkajs-client.ts'
import { partitionOf } from './partition-of.ts'
import type { OutgoingMessage, SentMessage } from './producer.ts'

const { Partitioners } = kafkajs

/** A message on its way, with the partition that it was given: a repeat must not go to another one. */
export type Addressed = Message & { topic: string; bytes: number }

/** One produce attempt over kafkajs, with nothing repeated inside: who repeats what is decided in producer.ts. */
export class ProduceRequests {
  readonly #client: KafkaClient
  readonly #compression: Compression
  readonly #log: Logger
  #connection: Promise<{ producer: Producer; destroy(): void }> | undefined
  #closed = false

  readonly #metadata = new Map<string, PartitionMetadata[]>()
  readonly #spread = Partitioners.DefaultPartitioner()

  constructor(client: KafkaClient, compression: Compression) {
    this.#client = client
    this.#compression = compression
    this.#log = client.log
  }

  /** Gives the message its partition when the topic is known by now; else the first request does. */
  address(message: OutgoingMessage): Addressed {
    const { topic, key, value, headers, timestamp } = message
    const addressed: Addressed = {
      topic,
      key,
      value,
      ...(headers && { headers: { ...headers } }),
      ...(timestamp !== undefined && { timestamp: String(timestamp) }),
      bytes: sizeOf(message),
    }
    const partitionMetadata = this.#metadata.get(topic)
    if (partitionMetadata) addressed.partition = this.#choose(addressed, partitionMetadata)
    return addressed
  }

  #choose(message: Addressed, partitionMetadata: PartitionMetadata[]): number {
    if (message.key == null) return this.#spread({ topic: message.topic, partitionMetadata, message })
    const key = typeof message.key === 'string' ? Buffer.from(message.key) : message.key
    return partitionOf(key, partitionMetadata.length)
  }

  /** Resolves with the place of each message once all replicas in sync have it; rejects with an AppError. */
  async produce(messages: readonly Addressed[]): Promise<SentMessage[]> {
    const topicMessages = Array.from(
      Map.groupBy(messages, message => message.topic),
      ([topic, ofTopic]) => ({ topic, messages: ofTopic }),
    )
    try {
      const { producer } = await this.#connected()
      const answers = await producer.sendBatch({
        topicMessages,
        acks: -1,
        timeout: requestTimeoutMs,
        compression: compressions[this.#compression],
      })
      return placesOf(messages, answers)
    } catch (error) {
      const failure = toAppError(error, 'publishing to Kafka')
      // A client that has failed may hold half-broken state (brokers removed, no seed): the next attempt gets a new one.
      if (failure.retryable) await this.#discard()
      throw failure
    }
  }

  async close(): Promise<void> {
    this.#closed = true
    await this.#discard()
  }

  #connected() {
    if (this.#closed) throw new Error('the producer is closed')
    this.#connection ??= this.#connect()
    return this.#connection
  }

  async #connect() {
    const { kafkajs, destroy } = createKafkajs(this.#client)
    const producer = kafkajs.producer({
      // See the trap in producer.ts: the idempotent producer of kafkajs acknowledges what the log never gets.
      idempotent: false,
      allowAutoTopicCreation: false,
      retry: { retries: 0 },
      createPartitioner:
        () =>
        ({ topic, partitionMetadata, message }) => {
          this.#metadata.set(topic, partitionMetadata)
          message.partition ??= this.#choose(message as Addressed, partitionMetadata)
          return message.partition
        },
    })
    try {
      await producer.connect()
    } catch (error) {
      destroy()
      throw error
    }
    return { producer, destroy }
  }

  async #discard(): Promise<void> {
    const connection = this.#connection
    this.#connection = undefined
    await connection?.then(
      ({ producer, destroy }) => {
        const timer = setTimeout(destroy, 1_000)
        void producer
          .disconnect()
          .catch(error => this.#log.debug({ err: error }, 'disconnecting a producer failed'))
          .finally(() => {
            clearTimeout(timer)
            destroy()
          })
      },
      () => {},
    )
  }
}

/**
 * kafkajs answers with one base offset per partition; messages of a partition follow it in the order given. A partition
 * without an answer was not written, whatever the promise says.
 */
function placesOf(
  messages: readonly Addressed[],
  answers: readonly { topicName: string; partition: number; baseOffset?: string }[],
): SentMessage[] {
  const next = new Map(answers.map(answer => [`${answer.topicName}/${answer.partition}`, Number(answer.baseOffset)]))
  return messages.map(({ topic, partition = -1 }) => {
    const place = `${topic}/${partition}`
    const offset = next.get(place)
    if (offset === undefined || Number.isNaN(offset)) throw new Error(`no acknowledgement for ${place}`)
    next.set(place, offset + 1)
    return { topic, partition, offset }
  })
}

/** Within a few bytes per record of what the broker counts. */
function sizeOf({ key, value, headers = {} }: OutgoingMessage): number {
  let bytes = 32 + lengthOf(key) + lengthOf(value)
  for (const name in headers) {
    const value = headers[name] ?? null
    if (!Array.isArray(value)) bytes += 8 + name.length + lengthOf(value)
    else for (const one of value) bytes += 8 + name.length + lengthOf(one)
  }
  return bytes
}

function lengthOf(data: string | Buffer | null): number {
  if (data === null) return 0
  return typeof data === 'string' ? Buffer.byteLength(data) : data.length
}
