import { backoffMs, endsWithin, failureLevel, pause } from '@tocsin/runtime/backoff'
import { messageOf } from '@tocsin/runtime/errors'
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
export interface Timeouts {
  /** Until there is a connection, be it a new one or one that somebody else gives back. */
  connectMs: number
  queryMs: number
}

const usualTimeouts: Timeouts = { connectMs: 5_000, queryMs: 30_000 }
/** Who only listens would never see that the other end is gone: it asks, and has this long to wait for the answer. */
const listenAskMs = 5_000
const listenBackoffCapMs = 2_000
const endMs = 1_000

/** A pool of connections. Errors that a retry may help are retryable AppErrors; all others are as pg throws them. */
export class Database implements Queryable {
  readonly #pool: pg.Pool
  readonly #options: pg.ClientConfig
  readonly #log: Logger
  /** Whether more has come since the notification that is under way, by channel. */
  readonly #notifying = new Map<string, { again: boolean }>()

  constructor(settings: PostgresSettings, log: Logger, timeouts: Partial<Timeouts> = {}) {
    const { connectMs, queryMs } = { ...usualTimeouts, ...timeouts }
    this.#log = log
    this.#options = {
      ...connectionOptions(settings),
      connectionTimeoutMillis: connectMs,
      query_timeout: queryMs,
      application_name: 'tocsin',
    }
    this.#pool = new pg.Pool({ ...this.#options, max: settings.DATABASE_POOL_SIZE })
    // A connection that is lost while nobody asks it something is an event of the client; unheard, it would end the process.
    // The next query reports it. Listened for from the first moment on: the server's good-bye may come with its welcome.
    this.#pool.on('connect', client => client.on('error', () => {}))
    // One that is lost while it is idle is an event of the pool as well.
    this.#pool.on('error', error => log.warn({ error: error.message }, 'an idle Postgres connection was lost'))
  }

  query<Row extends pg.QueryResultRow>(text: string, values: unknown[] = []): Promise<pg.QueryResult<Row>> {
    return this.#pool.query<Row>(text, values).catch(rethrow)
  }

  /** Runs `work` in one transaction: committed when it returns, rolled back when it throws. */
  async transaction<T>(work: (client: Queryable) => Promise<T>, begin = 'BEGIN'): Promise<T> {
    const client = await this.#pool.connect().catch(rethrow)
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
      client.release(broken)
    }
  }

  /**
   * Tells whoever listens. Nobody waits for it, and it may be lost; all that come while one is under way are one more.
   *
   * Not told in the transaction that it is about: Postgres lets only one of those commit at a time, flush included. With
   * 16 writers on a disk that flushes in 2 ms that was 450 changes a second against 1,500.
   */
  notify(channel: string): void {
    const underWay = this.#notifying.get(channel)
    if (underWay !== undefined) {
      underWay.again = true
      return
    }
    const state = { again: false }
    this.#notifying.set(channel, state)
    const told = this.query(`SELECT pg_notify($1, '')`, [channel]).catch(() => {})
    void told.finally(() => {
      this.#notifying.delete(channel)
      if (state.again) this.notify(channel)
    })
  }

  /**
   * Until `stopping`, calls `wake` for each notification, and each time that listening begins: what was told before that
   * was told to nobody. Has a connection of its own beside the pool, and makes a new one when that is lost. Never fails:
   * a notification saves waiting, and whoever is woken also looks by itself.
   */
  async listen(channel: string, wake: () => void, stopping: AbortSignal): Promise<void> {
    for (let failures = 0; !stopping.aborted; ) {
      const client = new pg.Client({ ...this.#options, query_timeout: listenAskMs })
      try {
        await startListening(client, channel, wake)
        if (failures > 0) this.#log.info({ channel }, 'Postgres notifications are heard again')
        failures = 0
        await untilLost(client, stopping)
      } catch (error) {
        failures++
        const facts = { channel, error: messageOf(error) }
        this.#log[failureLevel(failures)](facts, 'Postgres notifications are not heard')
        await pause(backoffMs(failures, { capMs: listenBackoffCapMs }), stopping)
      } finally {
        await endsWithin(client.end(), endMs) // a server that is frozen says no good-bye
      }
    }
  }

  async ping(): Promise<void> {
    await this.query('SELECT 1')
  }

  async close(): Promise<void> {
    await this.#pool.end()
  }
}

async function startListening(client: pg.Client, channel: string, wake: () => void): Promise<void> {
  client.on('error', () => {}) // a loss between two queries; the next one reports it
  client.on('notification', wake)
  await client.connect()
  await client.query(`LISTEN ${client.escapeIdentifier(channel)}`)
  wake()
}

/** Returns when stopping, throws when the connection is lost. */
async function untilLost(client: pg.Client, stopping: AbortSignal): Promise<void> {
  const lost = new AbortController()
  client.once('end', () => lost.abort())
  const over = AbortSignal.any([stopping, lost.signal])
  while (!stopping.aborted) {
    await pause(listenAskMs, over)
    if (!stopping.aborted) await client.query('SELECT 1')
  }
}
