import { Database } from '@tocsin/postgres/database'
import { createLogger } from '@tocsin/runtime/logger'
import { eventually } from '@tocsin/testkit/eventually'
import { startGate, targetOf } from '@tocsin/testkit/gate'
import { test } from '@tocsin/testkit/test'
import { expect, onTestFinished } from 'vitest'

interface Listening {
  /** How often it was woken. */
  readonly woken: number
  /** What its log says of lost and found connections. */
  readonly said: readonly string[]
  stop(): Promise<void>
}

function listenAt(url: string): Listening {
  const log = createLogger('listen test', 'silent')
  const said: string[] = []
  for (const level of ['warn', 'info'] as const) {
    log[level] = (_facts: unknown, message?: string) => void said.push(message ?? '')
  }
  const database = new Database({ DATABASE_URL: url, DATABASE_TLS_CA: undefined, DATABASE_POOL_SIZE: 1 }, log)
  const stopping = new AbortController()
  let woken = 0
  const done = database.listen('changes', () => woken++, stopping.signal)
  let stopped: Promise<void> | undefined
  const stop = () => {
    stopping.abort()
    stopped ??= done.then(() => database.close())
    return stopped
  }
  onTestFinished(stop)
  return {
    said,
    stop,
    get woken() {
      return woken
    },
  }
}

const notify = (database: Database) => database.query(`SELECT pg_notify('changes', '')`)

const listeners = async (database: Database): Promise<number[]> => {
  const { rows } = await database.query<{ pid: number }>(
    `SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN %'`,
  )
  return rows.map(row => row.pid)
}

test('wakes at the commit and not before, never for what is rolled back, and once when listening begins', async ({
  database,
}) => {
  const listening = listenAt(database.url)
  await eventually(() => expect(listening.woken).toBe(1))
  await database.transaction(async client => {
    await client.query(`SELECT pg_notify('changes', '')`)
    await notify(database) // by another transaction, which overtakes this one
    await eventually(() => expect(listening.woken).toBe(2))
  })
  await eventually(() => expect(listening.woken).toBe(3))
  const rolledBack = database.transaction(async client => {
    await client.query(`SELECT pg_notify('changes', '')`)
    throw new Error('on purpose')
  })
  await expect(rolledBack).rejects.toThrow('on purpose')
  await notify(database)
  await eventually(() => expect(listening.woken).toBe(4))
  await listening.stop()
  expect(await listeners(database)).toEqual([])
  expect(listening.said).toEqual([])
})

test('of many notifications at once all listeners hear one, and one that comes after the last', async ({
  database,
}) => {
  const listening = listenAt(database.url)
  await eventually(() => expect(listening.woken).toBe(1))
  for (let at = 0; at < 1_000; at++) database.notify('changes')
  await eventually(() => expect(listening.woken).toBe(3))
  database.notify('changes')
  await eventually(() => expect(listening.woken).toBe(4))
})

test("a notification that cannot be told is nobody's trouble, and the next one is told", async ({ database }) => {
  const listening = listenAt(database.url)
  await eventually(() => expect(listening.woken).toBe(1))
  await using gate = await startGate(targetOf(database.url))
  const behindGate = new URL(database.url)
  behindGate.host = `${gate.host}:${gate.port}`
  const settings = { DATABASE_URL: behindGate.href, DATABASE_TLS_CA: undefined, DATABASE_POOL_SIZE: 1 }
  const teller = new Database(settings, createLogger('listen test', 'silent'))
  onTestFinished(() => teller.close())
  teller.notify('changes')
  await expect(teller.ping()).rejects.toThrow()
  await gate.open()
  teller.notify('changes')
  await eventually(() => expect(listening.woken).toBe(2))
})

test('a lost connection is made anew, and wakes for what was told meanwhile', async ({ database }) => {
  const listening = listenAt(database.url)
  await eventually(() => expect(listening.woken).toBe(1))
  const [pid] = await listeners(database)
  await database.query('SELECT pg_terminate_backend($1)', [pid])
  await eventually(() => expect(listening.woken).toBe(2))
  expect(await listeners(database)).not.toContain(pid)
  await notify(database)
  await eventually(() => expect(listening.woken).toBe(3))
  expect(listening.said).toEqual(['Postgres notifications are not heard', 'Postgres notifications are heard again'])
})

test('waits for a Postgres that is not there yet, and comes back after one that was away', async ({ database }) => {
  await using gate = await startGate(targetOf(database.url))
  const behindGate = new URL(database.url)
  behindGate.host = `${gate.host}:${gate.port}`
  const listening = listenAt(behindGate.href)
  for (const times of [1, 2]) {
    await eventually(() => expect(listening.said.at(-1)).toBe('Postgres notifications are not heard'))
    await gate.open()
    await eventually(() => expect(listening.woken).toBe(2 * times - 1))
    await notify(database)
    await eventually(() => expect(listening.woken).toBe(2 * times))
    await gate.close()
  }
})

test('a server that is frozen is noticed, and does not hold up a stop', async ({ database }) => {
  await using gate = await startGate(targetOf(database.url))
  await gate.open()
  const behindGate = new URL(database.url)
  behindGate.host = `${gate.host}:${gate.port}`
  const listening = listenAt(behindGate.href)
  await eventually(() => expect(listening.woken).toBe(1))
  gate.freeze()
  await eventually(() => expect(listening.said).toEqual(['Postgres notifications are not heard']), { withinMs: 20_000 })
  await listening.stop()
})
