import { backoffMs, failureLevel, pause } from '@tocsin/runtime/backoff'
import { AppError, messageOf } from '@tocsin/runtime/errors'
import type { KafkaClient } from './client.ts'
import { GroupSession, HandlerFailed } from './group-session.ts'
import { toAppError } from './kafka-errors.ts'
import type { Source, SourceHandler } from './source.ts'

export interface KafkaSourceOptions {
  /** The full names, prefix included: `client.group(…)`, `client.topic(…)`. */
  groupId: string
  topics: readonly string[]
  /** After so long without a sign of life others take over. Brokers want 6 s to 30 min. */
  sessionTimeoutMs?: number
  /** A batch that takes longer no longer holds up the other partitions of this member. */
  holdMs?: number
}

/** A Source over kafkajs: a member of a consumer group that comes back, with a new connection, whatever happens. */
export function createKafkaSource(client: KafkaClient, options: KafkaSourceOptions): Source {
  return new KafkajsSource(client, options)
}

class KafkajsSource implements Source {
  readonly #client: KafkaClient
  readonly #options: Required<KafkaSourceOptions>
  #session: GroupSession | undefined
  #lastFailure = 'not started'

  constructor(client: KafkaClient, { groupId, topics, sessionTimeoutMs = 10_000, holdMs = 500 }: KafkaSourceOptions) {
    this.#client = client
    this.#options = { groupId, topics, sessionTimeoutMs, holdMs }
  }

  check(): void {
    const trouble = this.#session ? this.#session.trouble : this.#lastFailure
    if (trouble === undefined) return
    const text = `not a working member of ${this.#options.groupId}: ${trouble}`
    throw new AppError('kafka_unavailable', text, { retryable: true })
  }

  async run(handler: SourceHandler, stopping: AbortSignal): Promise<void> {
    const { log } = this.#client
    for (let attempt = 1; !stopping.aborted; attempt++) {
      const session = new GroupSession(this.#client, this.#options, handler)
      this.#session = session
      let joined = false
      try {
        await session.run(stopping)
      } catch (error) {
        if (error instanceof HandlerFailed) throw error.cause
        joined = session.everJoined
        this.#lastFailure = messageOf(toAppError(error, 'reading from Kafka'))
      } finally {
        this.#session = undefined
      }
      if (stopping.aborted) break
      if (joined) attempt = 1
      const delayMs = Math.round(backoffMs(attempt, { baseMs: 200, capMs: 5_000 }))
      log[failureLevel(attempt)](
        { group: this.#options.groupId, attempt, delayMs, error: this.#lastFailure },
        'lost Kafka; joining again',
      )
      await pause(delayMs, stopping)
    }
    this.#lastFailure = 'stopped'
  }
}
