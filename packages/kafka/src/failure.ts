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

/** Does what succeeded before succeed still? Undefined while nothing has succeeded, and when that cannot be told. */
export type Proof = () => Promise<boolean | undefined>

export interface BugLimits {
  /** So many in a row mean that the code is wrong, when what succeeded before fails now too. */
  inARowMax: number
  /** The same while nothing has succeeded yet, and nothing else can tell. */
  unprovenMax: number
  /** How long they wait for a success of other partitions. */
  waitMs: number
}

/**
 * While nothing has succeeded since the start, a producer that sends nothing but bugs looks the same as a service that
 * can do nothing: up to 100 are taken for the data's, which is what one command replays if it was the code.
 */
const usualLimits: BugLimits = { inARowMax: 5, unprovenMax: 100, waitMs: 5_000 }

/**
 * Tells wrong data from wrong code, over all partitions. Whatever fails in a batch of which something succeeds has wrong
 * data in it. When nothing of a batch succeeds, the proof is asked for: a record that was handled before and is handled
 * still shows that the code is right, however many others fail and whether or not there are any others. Without that, a
 * batch is held back after too many bugs in a row, and the other partitions decide: one success among them and it is the
 * data too; none for `waitMs` and the code is wrong, so nothing more is put aside.
 */
export class BugStreak {
  readonly #limits: BugLimits
  readonly #woken = new Set<AbortController>()
  #count = 0

  constructor(limits: Partial<BugLimits> = {}) {
    this.#limits = { ...usualLimits, ...limits }
  }

  succeeded(): void {
    this.#count = 0
    for (const woken of this.#woken) woken.abort()
  }

  /** After a batch of which nothing succeeded. What an expected error says is about the data: not counted. */
  async nothingSucceeded(rejections: readonly Rejection[], handover: AbortSignal, proof: Proof): Promise<void> {
    const bugs = rejections.filter(({ failure }) => !isExpected(failure.error))
    const last = bugs.at(-1)
    if (last === undefined) return
    this.#count += bugs.length
    const works = await proof()
    if (works) return this.succeeded()
    const { inARowMax, unprovenMax } = this.#limits
    if (this.#count < (works === false ? inARowMax : unprovenMax) || (await this.#othersSucceed(handover))) return
    if (handover.aborted) return
    const { error } = last.failure
    throw new Error(`${this.#count} records in a row fail, so the code is wrong: ${messageOf(error)}`, { cause: error })
  }

  async #othersSucceed(handover: AbortSignal): Promise<boolean> {
    const woken = new AbortController()
    this.#woken.add(woken)
    await pause(this.#limits.waitMs, AbortSignal.any([woken.signal, handover]))
    this.#woken.delete(woken)
    return woken.signal.aborted
  }
}
