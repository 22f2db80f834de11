import type { Database } from '@tocsin/postgres/database'
import { AppError } from '@tocsin/runtime/errors'
import { LeaseLost } from '../src/lease.ts'
import type { Places } from '../src/places.ts'
import type { Term } from '../src/term.ts'
import { interposed } from './interposed.ts'
import { begunTerm, never } from './private-places.ts'

/** What may befall the next statement that stamps or draws: the process dies before it, it is not done, it is done unheard. */
export const faults = ['crash before the stamp', 'fail to draw', 'draw without an answer'] as const
export type Fault = (typeof faults)[number]

const isFault = (what: string): what is Fault => faults.some(fault => fault === what)

class Crash extends Error {}

/** How often each fault came to pass. */
export const happened = new Map<Fault, number>()

/** The same places, but what Postgres is asked to draw or to stamp goes through `around`. */
function statementsAround(
  places: Places,
  around: (statement: 'draw' | 'stamp', run: () => Promise<unknown>) => Promise<unknown>,
): Places {
  const query = (text: string, values: unknown[]) => {
    const run = () => places.database.query(text, values)
    if (text.includes('SET version = greatest')) return around('draw', run)
    return text.includes('SET snapshot_version') ? around('stamp', run) : run()
  }
  const database = new Proxy(places.database, {
    get(target, name: keyof Database) {
      return name === 'query' ? query : (target[name] as () => unknown).bind(target)
    },
  })
  return { ...places, database }
}

/**
 * One updater. What it does may be stopped before a step in Redis, and go on after anything else has happened; it may
 * crash, and Postgres may fail it.
 */
export class Updater {
  readonly #places: Places
  #term: Term | undefined
  #fault: Fault | undefined
  #freezeAt: 'write' | 'swap' | undefined
  #frozen: { goOn: () => void; ended: Promise<void> } | undefined

  constructor(places: Places) {
    const around = (step: 'write' | 'swap') => async (run: () => Promise<unknown>) => {
      if (this.#freezeAt === step) await this.#freeze()
      return run()
    }
    const failing = statementsAround(places, (statement, run) => this.#statement(statement, run))
    this.#places = interposed(interposed(failing, 'write', around('write')), 'swap', around('swap'))
  }

  async #statement(statement: 'draw' | 'stamp', run: () => Promise<unknown>): Promise<unknown> {
    const fault = this.#fault
    if (fault === undefined || (fault === 'crash before the stamp') !== (statement === 'stamp')) return run()
    this.#fault = undefined
    happened.set(fault, (happened.get(fault) ?? 0) + 1)
    if (fault === 'crash before the stamp') throw new Crash()
    if (fault === 'draw without an answer') await run()
    throw new AppError('postgres_unavailable', 'no answer', { retryable: true })
  }

  #reached = Promise.withResolvers<void>()
  #goOn = Promise.withResolvers<void>()

  async #freeze(): Promise<void> {
    this.#freezeAt = undefined
    this.#reached.resolve()
    await this.#goOn.promise
  }

  async do(what: string): Promise<void> {
    if (what === 'go on') return this.goOn()
    if (this.#frozen !== undefined) return
    if (what === 'take over') await this.#trying(() => this.#takeOver())
    if (isFault(what)) await this.#doWith(what)
    const term = this.#term
    if (term?.published === undefined) return
    if (what === 'turn') await this.#trying(() => term.turn(never))
    if (what === 'check') await this.#trying(() => term.check(never))
    if (what === 'compare') await this.#trying(() => term.reconcile(never))
    if (what.startsWith('freeze')) await this.#doUntil(term, what === 'freeze at swap' ? 'swap' : 'write')
  }

  async #takeOver(): Promise<void> {
    this.#term = await begunTerm(this.#places)
  }

  /** In a turn, or at the begin of a term. */
  async #doWith(fault: Fault): Promise<void> {
    const term = this.#term
    this.#fault = fault
    await this.#trying(() => (term?.published === undefined ? this.#takeOver() : term.turn(never, { always: true })))
    this.#fault = undefined
  }

  async #doUntil(term: Term, step: 'write' | 'swap'): Promise<void> {
    this.#freezeAt = step
    this.#reached = Promise.withResolvers()
    this.#goOn = Promise.withResolvers()
    const ended = this.#trying(() => term.check(never).then(() => term.turn(never)))
    await Promise.race([ended, this.#reached.promise])
    if (this.#freezeAt === undefined) this.#frozen = { goOn: this.#goOn.resolve, ended }
    this.#freezeAt = undefined
  }

  async goOn(): Promise<void> {
    this.#frozen?.goOn()
    await this.#frozen?.ended
    this.#frozen = undefined
  }

  async #trying(work: () => Promise<unknown>): Promise<void> {
    try {
      await work()
    } catch (error) {
      if (error instanceof LeaseLost || error instanceof Crash) this.#term = undefined
      else if (!(error instanceof AppError && error.retryable)) throw error
    }
  }
}
