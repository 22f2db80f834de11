import { InvalidMessage } from '@tocsin/contracts/decode'
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

/** Counts bugs since the last success, over all partitions. What an expected error says is about the data: not counted. */
export class BugStreak {
  readonly #max: number
  #count = 0

  constructor(max: number) {
    this.#max = max
  }

  success(): void {
    this.#count = 0
  }

  failure(error: unknown): void {
    if (isExpected(error)) return
    this.#count++
    if (this.#count < this.#max) return
    throw new Error(`${this.#count} records in a row fail, so the code is wrong: ${messageOf(error)}`, { cause: error })
  }
}
