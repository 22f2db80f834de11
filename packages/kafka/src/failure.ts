import { InvalidMessage } from '@tocsin/contracts/decode'
import { pause } from '@tocsin/runtime/backoff'
import { AppError, messageOf } from '@tocsin/runtime/errors'
import type { KafkaRecord } from './source.ts'

export interface Failure {
  error: unknown
  /** How many calls with this record failed. */
  attempts: number
  firstFailedAt: Date
  lastFailedAt: Date
}

export interface Rejection {
  record: KafkaRecord
  failure: Failure
}

/** Puts records aside for people to look at; resolves when they are safe. Called again when it fails retryably. */
export type Reject = (rejections: readonly Rejection[]) => Promise<void>

export function failed(before: Failure | undefined, error: unknown): Failure {
  const now = new Date()
  return {
    error,
    attempts: (before?.attempts ?? 0) + 1,
    firstFailedAt: before?.firstFailedAt ?? now,
    lastFailedAt: now,
  }
}

/** Somebody thought of this failure, and it is about the record. Anything else is a bug. */
export function isExpected(error: unknown): error is AppError | InvalidMessage {
  return error instanceof AppError || error instanceof InvalidMessage
}

/** A bug has no code of its own, also when the library that threw it gave it one. */
export function codeOf(error: unknown): string {
  return isExpected(error) ? error.code : 'internal'
}

/**
 * Tells wrong data from wrong code, over all partitions. Whatever fails in a batch of which something succeeds has wrong
 * data in it. After `max` bugs in a row a batch of which nothing succeeds is held back, and the other partitions decide: one
 * success among them and it is the data too; none for `waitMs` and the code is wrong, so nothing more is put aside.
 */
export class BugStreak {
  readonly #max: number
  readonly #waitMs: number
  readonly #woken = new Set<AbortController>()
  #count = 0

  constructor(max: number, waitMs: number) {
    this.#max = max
    this.#waitMs = waitMs
  }

  succeeded(): void {
    this.#count = 0
    for (const woken of this.#woken) woken.abort()
  }

  /** After a batch of which nothing succeeded. What an expected error says is about the data: not counted. */
  async nothingSucceeded(rejections: readonly Rejection[], handover: AbortSignal): Promise<void> {
    const bugs = rejections.filter(({ failure }) => !isExpected(failure.error))
    this.#count += bugs.length
    const last = bugs.at(-1)
    if (last === undefined || this.#count < this.#max || (await this.#othersSucceed(handover))) return
    if (handover.aborted) return
    const { error } = last.failure
    throw new Error(`${this.#count} records in a row fail, so the code is wrong: ${messageOf(error)}`, { cause: error })
  }

  async #othersSucceed(handover: AbortSignal): Promise<boolean> {
    const woken = new AbortController()
    this.#woken.add(woken)
    await pause(this.#waitMs, AbortSignal.any([woken.signal, handover]))
    this.#woken.delete(woken)
    return woken.signal.aborted
  }
}
