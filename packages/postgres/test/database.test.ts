import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { Database } from '@tocsin/postgres/database'
import { createLogger } from '@tocsin/runtime/logger'
import { test } from '@tocsin/testkit/test'
import { expect, onTestFinished } from 'vitest'

const message = (type: string, body: Buffer | string) => {
  const bytes = Buffer.from(body)
  const head = Buffer.from(`${type}....`)
  head.writeInt32BE(bytes.length + 4, 1)
  return Buffer.concat([head, bytes])
}

/** Lets everybody in, and shuts down in the same breath. */
async function startLeavingServer(): Promise<string> {
  const server = createServer(socket => {
    socket.on('error', () => {})
    socket.once('data', () => {
      const welcome = message('R', Buffer.alloc(4))
      const ready = message('Z', 'I')
      const leaving = message('E', 'SFATAL\0VFATAL\0C57P01\0Mterminating connection due to administrator command\0\0')
      socket.end(Buffer.concat([welcome, ready, leaving]))
    })
  })
  onTestFinished(() => void server.close())
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return `postgres://x:x@127.0.0.1:${(server.address() as AddressInfo).port}/x`
}

test('a server that ends a connection in the moment of its beginning is a failure that a retry may help', async () => {
  const settings = { DATABASE_URL: await startLeavingServer(), DATABASE_TLS_CA: undefined, DATABASE_POOL_SIZE: 1 }
  const database = new Database(settings, createLogger('test', 'silent'))
  onTestFinished(() => database.close())
  // An error that nobody listens for would be thrown out of the socket's event, and end the process.
  const away = { code: 'postgres_unavailable', retryable: true }
  await expect(database.transaction(client => client.query('SELECT 1'))).rejects.toMatchObject(away)
  await expect(database.query('SELECT 1')).rejects.toMatchObject(away)
})

test('so is a transaction that was ended because its process slept', async ({ database }) => {
  const slept = database.transaction(async client => {
    await client.query('SET LOCAL idle_in_transaction_session_timeout = 50')
    // Nothing is read from the socket meanwhile: the next query is sent before the end is heard of, and answered by it.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 500)
    await client.query('SELECT 1')
  })
  await expect(slept).rejects.toMatchObject({ code: 'postgres_unavailable', cause: { code: '25P03' } })
  await database.ping()
})
