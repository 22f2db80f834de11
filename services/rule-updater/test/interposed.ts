import type { Database, Queryable } from '@tocsin/postgres/database'
import type { Redis } from '@tocsin/redis/connection'
import type { Places } from '../src/places.ts'

/** A command that changes what others see in Redis, or asks for it. */
export type Step = 'write' | 'swap' | 'read'

/** The same places, but each step in Redis of this kind goes through `around`. */
export function interposed(
  places: Places,
  step: Step,
  around: (run: () => Promise<unknown>) => Promise<unknown>,
): Places {
  const stepOf = (command: string, first: unknown): Step | undefined => {
    if (command === 'call' && first === 'SET') return 'write'
    if (command === 'hget') return 'read'
    return command === 'eval' && String(first).includes('PUBLISH') ? 'swap' : undefined
  }
  const redis = new Proxy(places.redis, {
    get(target, name: keyof Redis & string) {
      const member = target[name]
      if (typeof member !== 'function') return member
      const call = (member as (...args: unknown[]) => unknown).bind(target)
      return (...args: unknown[]) =>
        stepOf(name, args[0]) === step ? around(() => call(...args) as Promise<unknown>) : call(...args)
    },
  })
  return { ...places, redis }
}

export const crash = () => Promise.reject(new Error('crash'))

type Rows = readonly Record<string, unknown>[]

/** The same places, but each answer of Postgres is shown to `seen` before anybody uses it. */
export function overheard(places: Places, seen: (rows: Rows, statement: string) => Promise<void> | void): Places {
  const listen = (queryable: Queryable): Queryable => ({
    async query<Row extends Record<string, unknown>>(text: string, values?: unknown[]) {
      const result = await queryable.query<Row>(text, values)
      await seen(result.rows, text)
      return result
    },
  })
  const { database } = places
  const transaction: Database['transaction'] = (work, begin) =>
    database.transaction(client => work(listen(client)), begin)
  return { ...places, database: Object.assign(listen(database), { transaction }) as Database }
}
