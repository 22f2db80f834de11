import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import type { Queryable } from '@tocsin/postgres/database'
import { failureLevel, pause } from '@tocsin/runtime/backoff'
import { isRetryable, messageOf } from '@tocsin/runtime/errors'
import { acquireLease, type Lease, LeaseLost, releaseLease, renewLease } from './lease.ts'
import * as meters from './meters.ts'
import type { Places } from './places.ts'
import { TermLoop, type TermTimings, usualTermTimings } from './run-term.ts'
import { tellWaiting } from './tell-waiting.ts'
import { Term } from './term.ts'

/** So often a standby asks. */
const askEveryMs = 250
const renewEveryMs = 500

export interface LeadershipOptions {
  places: Places
  /** Connections that nothing else uses: a renewal must not wait behind a read of everything. */
  leaseDatabase: Queryable
  /** Hears of changes while this process leads, and calls `wake`. Nothing is lost without it, only later. */
  listen(wake: () => void, stopping: AbortSignal): Promise<void>
  /** Of this process, for people who ask who leads. */
  name: string
  timings?: Partial<TermTimings>
}

/** Stands by until the lease is free, leads until it is lost or the process stops, and stands by again. */
export class Leadership {
  readonly #options: LeadershipOptions
  #loop: TermLoop | undefined
  /** Of the last term. It leaves its group in some 6 s, and nobody waits for that but the next one. */
  #consumer = Promise.resolve()
  #asks = 0
  #failures = 0
  #failure: string | undefined

  constructor(options: LeadershipOptions) {
    this.#options = options
  }

  async run(stopping: AbortSignal): Promise<void> {
    try {
      while (!stopping.aborted) {
        const lease = await this.#ask()
        if (lease === undefined) await pause(askEveryMs, stopping)
        else await this.#lead(lease, stopping)
      }
    } finally {
      await this.#consumer
    }
  }

  get term(): Term | undefined {
    return this.#loop?.term
  }

  /** For `/ready`: throws, with the reason, while what this process is for does not work. */
  check(): void {
    const failure = this.#failure ?? this.#loop?.failure
    if (failure !== undefined) throw new Error(failure)
    if (this.#asks === 0) throw new Error('has not asked for the lease yet')
  }

  async #ask(): Promise<Lease | undefined> {
    const id = `${this.#options.name}-${randomBytes(4).toString('hex')}`
    const lease = await this.#trying('cannot ask for the lease', () => acquireLease(this.#options.leaseDatabase, id))
    if (this.#failure === undefined) this.#asks++
    return lease
  }

  async #lead(lease: Lease, stopping: AbortSignal): Promise<void> {
    const { places } = this.#options
    const { token, leader_id } = lease
    const over = new AbortController()
    const signal = AbortSignal.any([stopping, over.signal])
    places.log.info({ token, leader_id }, 'leading')
    meters.isLeader.set(1)
    const tasks = this.#tasks(lease, signal).map(task => task.finally(() => over.abort()))
    const ended = Promise.allSettled(tasks)
    await aborted(signal)
    this.#loop = undefined
    meters.isLeader.set(0)
    const ends = await ended
    places.log.info({ token }, 'standing by')
    const failures = ends.flatMap(end => (end.status === 'rejected' ? [end.reason] : []))
    const bug = failures.find(failure => !(failure instanceof LeaseLost))
    if (bug !== undefined) throw bug
    if (failures.length > 0 && !stopping.aborted) meters.leasesLostTotal.inc()
  }

  /** The term is over when the first of them ends. */
  #tasks(lease: Lease, over: AbortSignal): Promise<void>[] {
    const { places, listen } = this.#options
    const timings = { ...usualTermTimings, ...this.#options.timings }
    const loop = new TermLoop(new Term(places, lease), places, timings)
    this.#loop = loop
    this.#consumer = this.#consumer.then(() => {
      if (!over.aborted) return listen(() => loop.wake(), over)
    })
    return [
      this.#renew(loop, over),
      loop.run(over).finally(() => this.#release(lease)),
      tellWaiting(places.database, timings.countEveryMs, over),
      Promise.race([this.#consumer, aborted(over)]),
    ]
  }

  async #renew(loop: TermLoop, stopping: AbortSignal): Promise<void> {
    const { lease } = loop.term
    while (!stopping.aborted) {
      // Before the question: by the time of the answer there may be a newer one.
      const published = loop.term.published?.version ?? 0
      const state = await this.#trying('cannot renew the lease', () => renewLease(this.#options.leaseDatabase, lease))
      if (state !== undefined) loop.renewed(state, published)
      await pause(renewEveryMs, stopping)
    }
  }

  /** Of a lease that was lost meanwhile it changes nothing. */
  async #release(lease: Lease): Promise<void> {
    await this.#trying('cannot release the lease', () => releaseLease(this.#options.leaseDatabase, lease))
  }

  async #trying<T>(what: string, work: () => Promise<T>): Promise<T | undefined> {
    try {
      const result = await work()
      this.#failures = 0
      this.#failure = undefined
      return result
    } catch (error) {
      if (!isRetryable(error)) throw error
      this.#failure = messageOf(error)
      const facts = { failures: ++this.#failures, error: this.#failure }
      this.#options.places.log[failureLevel(this.#failures)](facts, `${what}; trying again`)
      return undefined
    }
  }
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (!signal.aborted) await once(signal, 'abort')
}
