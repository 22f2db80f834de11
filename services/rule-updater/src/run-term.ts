import { pingRedis, rethrowRedis } from '@tocsin/redis/connection'
import { backoffMs, failureLevel, pause } from '@tocsin/runtime/backoff'
import { Bell } from '@tocsin/runtime/bell'
import { isRetryable, messageOf } from '@tocsin/runtime/errors'
import type { LeaseState } from './lease.ts'
import type { Places } from './places.ts'
import type { Term } from './term.ts'

export interface TermTimings {
  /** A change whose event was lost or late is found. */
  pollEveryMs: number
  /** Changes that come one after the other share a version: evaluators have some 16 a second to take in, and not 60. */
  restMs: number
  checkEveryMs: number
  reconcileEveryMs: number
  /** What waits is counted, for alarms. A million rows take half a second. */
  countEveryMs: number
}

export const usualTermTimings: TermTimings = {
  pollEveryMs: 250,
  restMs: 50,
  checkEveryMs: 1_000,
  reconcileEveryMs: 60_000,
  countEveryMs: 5_000,
}

/** Nothing waits for the next try but what failed, and that is looked at again as soon as the trouble may be over. */
const backoff = { baseMs: 50, capMs: 1_000 }

/** Says when a term does what: one thing at a time, and comparisons beside it. */
export class TermLoop {
  readonly term: Term
  readonly #places: Places
  readonly #timings: TermTimings
  readonly #bell = new Bell()
  #failure: string | undefined = 'no snapshot was published yet'
  #checkAt = 0
  /** At once: what a term begins with was not read rule by rule, nor its chunks written. */
  #reconcileAt = 0
  /** The request that waits, and the one that was taken last, by their numbers. */
  #rebuildWanted: number | undefined
  #rebuildTaken: number | undefined
  #reconciling: Promise<void> | undefined
  /** A comparison ended with a bug. */
  #bug: unknown

  constructor(term: Term, places: Places, timings: TermTimings) {
    this.term = term
    this.#places = places
    this.#timings = timings
  }

  /** Why readers may not have what Postgres has; undefined when all is well. */
  get failure(): string | undefined {
    return this.#failure
  }

  /** Something changed. Costs nothing, and many calls make one version. */
  wake(): void {
    this.#bell.ring()
  }

  /** What a renewal of the lease said that was asked for after `published`. */
  renewed({ version, rebuild_wanted }: LeaseState, published: number): void {
    this.#rebuildWanted = rebuild_wanted ?? undefined
    // The numbers may begin anew: a failover of Postgres can lose requests that were done.
    if (rebuild_wanted === null) this.#rebuildTaken = undefined
    // Postgres was restored to an earlier day, and the rules with it.
    if (version < published) this.#reconcileAt = 0
    if (this.#isReconcileDue()) this.wake()
  }

  async run(stopping: AbortSignal): Promise<void> {
    try {
      for (let failures = 0; !stopping.aborted; ) {
        try {
          await this.#step(stopping)
          failures = 0
          this.#failure = undefined
          await this.#bell.wait(this.#timings.pollEveryMs, stopping)
        } catch (error) {
          if (stopping.aborted) break
          if (!isRetryable(error)) throw error
          this.#failure = messageOf(error)
          this.#places.log[failureLevel(++failures)](
            { failures, error: this.#failure },
            'cannot bring the snapshot up to date; trying again',
          )
          await pause(backoffMs(failures, backoff), stopping)
        }
      }
    } finally {
      await this.#reconciling
    }
  }

  async #step(stopping: AbortSignal): Promise<void> {
    const { term } = this
    if (this.#bug !== undefined) throw this.#bug
    // Reading many rules again and again is for nothing while there is nowhere to put them.
    if (this.#failure !== undefined) await pingRedis(this.#places.redis).catch(rethrowRedis)
    if (term.published === undefined) await term.begin(stopping)
    else if (await term.turn(stopping)) await pause(this.#timings.restMs, stopping)
    if (performance.now() >= this.#checkAt) {
      await term.check(stopping)
      this.#checkAt = performance.now() + this.#timings.checkEveryMs
    }
    if (term.takeSuspicion()) this.#reconcileAt = 0
    if (this.#isReconcileDue()) this.#reconciling ??= this.#reconcile(stopping)
  }

  #isReconcileDue(): boolean {
    return performance.now() >= this.#reconcileAt || this.#rebuildDue !== undefined
  }

  get #rebuildDue(): number | undefined {
    return this.#rebuildWanted === this.#rebuildTaken ? undefined : this.#rebuildWanted
  }

  async #reconcile(stopping: AbortSignal): Promise<void> {
    const rebuild = this.#rebuildDue
    this.#reconcileAt = performance.now() + this.#timings.reconcileEveryMs
    try {
      await this.term.reconcile(stopping, rebuild)
      this.#rebuildTaken = rebuild ?? this.#rebuildTaken
    } catch (error) {
      if (stopping.aborted) return
      if (!isRetryable(error)) this.#bug = error
      this.#places.log.warn({ error: messageOf(error) }, 'cannot compare the snapshot with Postgres; trying again')
      this.#reconcileAt = performance.now() + this.#timings.checkEveryMs
    } finally {
      this.#reconciling = undefined
      this.wake()
    }
  }
}
