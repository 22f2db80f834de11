import { type BackoffOptions, backoffMs, failureLevel, pause } from '@tocsin/runtime/backoff'
import { AppError, isRetryable, messageOf } from '@tocsin/runtime/errors'
import type { Logger } from '@tocsin/runtime/logger'
import { ConsumerMeters } from './consumer-meters.ts'
import {
  type BugLimits,
  BugStreak,
  type Failure,
  failed,
  isExpected,
  type Proof,
  type Reject,
  type Rejection,
} from './failure.ts'
import { type Batch, copyOf, type KafkaRecord, type Source } from './source.ts'

export interface Event<In> {
  readonly value: In
  readonly record: KafkaRecord
}

/** All that a service writes to consume a topic. */
export interface Stage<In> {
  /** Names the stage in logs, metrics and dead letters. */
  readonly name: string
  /** Throws an AppError or InvalidMessage when the record is no valid event. Looks at the record alone. */
  decode(record: KafkaRecord): In
  /**
   * A batch of one partition, in order, never empty. May see an event twice: after a crash, when a batch is taken apart
   * to find the event that fails, and when all others fail, to see whether it is handled still. An AppError says whether
   * to call again; `stopping` fires when the partition is to be given up: finish what is in flight, and wait for nothing.
   * May give records of the batch that are done but for a part that never can be: they are told to the dead letters, and
   * the batch counts as handled.
   */
  // biome-ignore lint/suspicious/noConfusingVoidType: most stages handle everything or throw, and so give nothing
  handle(events: readonly Event<In>[], stopping: AbortSignal): Promise<readonly Rejection[] | void>
}

export interface ConsumeOptions {
  log: Logger
  stopping: AbortSignal
  reject: Reject
  /** When the code is wrong and not the data, see BugStreak. */
  bugs?: Partial<BugLimits>
  backoff?: BackoffOptions
}

/** The partition goes to somebody else: nothing more is done with the batch, and nothing of it is committed. */
class GivenUp extends Error {}

/**
 * Reads a batch, decodes it, handles it, commits it; at least once, and never past a record that is neither handled
 * nor safe in the dead letters.
 *
 * | what happened                | what the loop does                                                            |
 * | ---------------------------- | ----------------------------------------------------------------------------- |
 * | handled                      | commit up to the last record of the batch                                     |
 * | handled but for a part       | reject the records that the handler names, commit                             |
 * | bytes are no valid event     | reject, go on                                                                 |
 * | AppError, retryable          | back off with jitter, the same batch again, for ever; nothing committed       |
 * | AppError, not retryable      | halve the batch until the culprit is alone, reject it, go on                  |
 * | any other error              | the same; when what was handled before fails too, stop: nothing committed     |
 * | stop or handover meanwhile   | return without commit; the next owner reads the batch again                   |
 */
export async function consume<In>(source: Source, stage: Stage<In>, options: ConsumeOptions): Promise<void> {
  const meters = new ConsumerMeters(stage.name)
  const handler = new BatchHandler(stage, options, meters)
  await source.run(
    {
      batch: async batch => {
        const done = meters.began(batch)
        await handler.handle(batch)
        done()
      },
      assigned: partitions => meters.assigned(partitions),
    },
    options.stopping,
  )
}

class BatchHandler<In> {
  readonly #stage: Stage<In>
  readonly #options: ConsumeOptions
  readonly #meters: ConsumerMeters
  /** Two counters: events are decoded before any is handled, so one success must not hide the other's failures. */
  readonly #decodeBugs: BugStreak
  readonly #handleBugs: BugStreak
  #everDecoded = false
  #lastHandled: KafkaRecord | undefined

  constructor(stage: Stage<In>, options: ConsumeOptions, meters: ConsumerMeters) {
    this.#stage = stage
    this.#options = options
    this.#meters = meters
    this.#decodeBugs = new BugStreak(options.bugs)
    this.#handleBugs = new BugStreak(options.bugs)
  }

  async handle(batch: Batch): Promise<void> {
    // Written at the end in one go: a batch that ends in a stop then leaves no dead letters of records that were not
    // committed, which the next run would only write again.
    const rejections: Rejection[] = []
    try {
      const events = await this.#decode(batch, rejections)
      if (events.length > 0) rejections.push(...(await this.#handle(events, batch)))
      if (rejections.length > 0) await this.#reject(rejections, batch)
    } catch (error) {
      if (error instanceof GivenUp) return
      throw error
    }
    await batch.commit(batch.records.at(-1)!.offset + 1)
  }

  async #decode(batch: Batch, rejections: Rejection[]): Promise<Event<In>[]> {
    const events: Event<In>[] = []
    for (const record of batch.records) {
      try {
        if (record.undecodable) throw record.undecodable
        events.push({ value: this.#stage.decode(record), record })
      } catch (error) {
        rejections.push({ record, failure: failed(undefined, error) })
      }
    }
    if (events.length > 0) {
      this.#everDecoded = true
      this.#decodeBugs.succeeded()
    } else {
      // A decoder looks at the record alone: what it could do once it can do.
      await this.#nothingSucceeded(this.#decodeBugs, rejections, batch, async () => this.#everDecoded || undefined)
    }
    return events
  }

  async #handle(events: readonly Event<In>[], batch: Batch): Promise<Rejection[]> {
    const rejections: Rejection[] = []
    const handled = await this.#handleInHalves(events, batch, rejections, undefined)
    if (handled === 0) {
      await this.#nothingSucceeded(this.#handleBugs, rejections, batch, () => this.#handlesStill(batch))
    }
    return rejections
  }

  /** Handles a record once more that was handled before. */
  async #handlesStill(batch: Batch): Promise<boolean | undefined> {
    const record = this.#lastHandled
    if (record === undefined) return undefined
    const failure = await this.#handleWhole([{ value: this.#stage.decode(record), record }], batch, [], undefined)
    if (failure === undefined) return true
    return isExpected(failure.error) ? undefined : false
  }

  /** Gives how many of the events were handled. */
  async #handleInHalves(
    events: readonly Event<In>[],
    batch: Batch,
    rejections: Rejection[],
    before: Failure | undefined,
  ): Promise<number> {
    const failure = await this.#handleWhole(events, batch, rejections, before)
    if (failure === undefined) {
      this.#handleBugs.succeeded()
      this.#lastHandled = copyOf(events.at(-1)!.record)
      this.#meters.handled(events.length)
      return events.length
    }
    const [only] = events
    if (events.length === 1 && only) {
      rejections.push({ record: only.record, failure })
      return 0
    }
    const middle = events.length >> 1
    const left = await this.#handleInHalves(events.slice(0, middle), batch, rejections, failure)
    return left + (await this.#handleInHalves(events.slice(middle), batch, rejections, failure))
  }

  async #nothingSucceeded(
    bugs: BugStreak,
    rejections: readonly Rejection[],
    { handover }: Batch,
    proof: Proof,
  ): Promise<void> {
    await bugs.nothingSucceeded(rejections, handover, proof)
    if (handover.aborted) throw new GivenUp()
  }

  /** Resolves when the events are handled, or with the failure that a repeat does not help against. */
  async #handleWhole(
    events: readonly Event<In>[],
    { handover, topic, partition }: Batch,
    rejections: Rejection[],
    before: Failure | undefined,
  ): Promise<Failure | undefined> {
    let failure = before
    for (;;) {
      try {
        rejections.push(...((await this.#stage.handle(events, handover)) ?? []))
        return undefined
      } catch (error) {
        // Whatever fails while the handler is told to stop may fail because of that.
        if (handover.aborted) throw new GivenUp()
        failure = failed(failure, error)
        if (!isRetryable(error)) {
          // An event gets a second chance alone, unless its failure is known to be final.
          if (events.length > 1 || failure.attempts > 1 || error instanceof AppError) return failure
          continue
        }
      }
      await this.#backOff('handling a batch fails', failure, handover, { topic, partition, events: events.length })
    }
  }

  async #reject(rejections: Rejection[], { handover, topic, partition }: Batch): Promise<void> {
    for (let failure: Failure | undefined; ; ) {
      try {
        await this.#options.reject(rejections)
        break
      } catch (error) {
        if (!isRetryable(error)) throw error
        failure = failed(failure, error)
        await this.#backOff('writing dead letters fails', failure, handover, { topic, partition })
      }
    }
    for (const { record, failure } of rejections) {
      const code = this.#meters.rejected(failure.error)
      const { topic, partition, offset } = record
      const line = { stage: this.#stage.name, topic, partition, offset, code, attempts: failure.attempts }
      if (isExpected(failure.error)) {
        this.#options.log.warn({ ...line, error: messageOf(failure.error) }, 'record sent to the dead letters')
      } else {
        this.#options.log.error({ ...line, err: failure.error }, 'record sent to the dead letters: a bug')
      }
    }
  }

  async #backOff(what: string, failure: Failure, handover: AbortSignal, facts: object): Promise<void> {
    this.#meters.retried()
    const { attempts, error } = failure
    const delayMs = Math.round(backoffMs(attempts, this.#options.backoff))
    this.#options.log[failureLevel(attempts)](
      { stage: this.#stage.name, ...facts, attempts, delayMs, error: messageOf(error) },
      `${what}; trying again`,
    )
    await pause(delayMs, handover)
    if (handover.aborted) throw new GivenUp()
  }
}
