import type { Logger } from '@tocsin/runtime/logger'
import pg from 'pg'
import { connectionOptions } from './connection-options.ts'
import { rethrow } from './postgres-errors.ts'
import type { PostgresSettings } from './settings.ts'

/** What the database and a transaction have in common; stores take this. */
export interface Queryable {
  query<Row extends pg.QueryResultRow>(text: string, values?: unknown[]): Promise<pg.QueryResult<Row>>
}

// bigint as number: versions and ids of sequences stay far below 2^53. As text they would compare as text.
pg.types.setTypeParser(pg.types.builtins.INT8, Number)

/** A connection attempt that hangs, and a server that stops answering, must become errors that loops can retry. */
const connectTimeoutMs = 5_000
const queryTimeoutMs = 30_000

/** A pool of connections. Errors that a retry may help are retryable AppErrors; all others are as pg throws them. */
export class Database implements Queryable {
  readonly #pool: pg.Pool

  constructor(settings: PostgresSettings, log: Logger) {
    this.#pool = new pg.Pool({
      ...connectionOptions(settings),
      max: settings.DATABASE_POOL_SIZE,
      connectionTimeoutMillis: connectTimeoutMs,
      query_timeout: queryTimeoutMs,
      application_name: 'tocsin',
    })
    // An idle connection that the server ends is an event of the pool; unheard, it would end the process.
    this.#pool.on('error', error => log.warn({ error: error.message }, 'an idle Postgres connection was lost'))
  }

  query<Row extends pg.QueryResultRow>(text: string, values: unknown[] = []): Promise<pg.QueryResult<Row>> {
    return this.#pool.query<Row>(text, values).catch(rethrow)
  }

  /** Runs `work` in one transaction: committed when it returns, rolled back when it throws. */
  async transaction<T>(work: (client: Queryable) => Promise<T>, begin = 'BEGIN'): Promise<T> {
    const client = await this.#pool.connect().catch(rethrow)
    // A connection that is lost between two queries is an event of the client; the next query reports it.
    const ignoreLoss = () => {}
    client.on('error', ignoreLoss)
    let broken: Error | undefined
    try {
      await client.query(begin)
      const result = await work(client)
      await client.query('COMMIT')
      return result
    } catch (error) {
      await client.query('ROLLBACK').catch(lost => {
        broken = lost
      })
      return rethrow(error)
    } finally {
      client.off('error', ignoreLoss)
      client.release(broken)
    }
  }

  async ping(): Promise<void> {
    await this.query('SELECT 1')
  }

  async close(): Promise<void> {
    await this.#pool.end()
  }
}
