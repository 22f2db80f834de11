import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { TLSSocket } from 'node:tls'
import { Database } from '@tocsin/postgres/database'
import { migrate } from '@tocsin/postgres/migrate'
import { createLogger } from '@tocsin/runtime/logger'
import { targetOf } from '@tocsin/testkit/gate'
import { createPrivateDatabase, migrationsFolder } from '@tocsin/testkit/private-database'
import { beforeAll, expect, onTestFinished, test } from 'vitest'

// Made by: openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 36500 -keyout key.pem
//   -out certificate.pem -subj "/CN=a Postgres server in tests" -addext "subjectAltName=DNS:localhost,IP:127.0.0.1"
const pem = (name: string) => join(import.meta.dirname, 'tls', name)
const authority = pem('certificate.pem')

/** Postgres with TLS: the part of the server that agrees on TLS, in front of the real one. Gives its port. */
async function startTlsFront(target: { host: string; port: number }): Promise<number> {
  const sockets = new Set<Socket>()
  const server = createServer(incoming => {
    sockets.add(incoming)
    incoming.on('error', () => {})
    incoming.once('data', () => {
      incoming.write('S') // to the SSLRequest: TLS it is
      const options = { isServer: true, cert: readFileSync(authority), key: readFileSync(pem('key.pem')) }
      const secure = new TLSSocket(incoming, options)
      const outgoing = connect(target)
      for (const socket of [secure, outgoing]) socket.on('error', () => incoming.destroy())
      secure.pipe(outgoing).pipe(secure)
    })
  })
  onTestFinished(() => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

let plain: string

beforeAll(async () => {
  const made = await createPrivateDatabase({ migrated: false })
  plain = made.url
  return made.drop
})

async function urlOf(host: string): Promise<string> {
  const front = new URL(plain)
  front.host = `${host}:${await startTlsFront(targetOf(plain))}`
  return front.href
}

async function ask(settings: { DATABASE_URL: string; DATABASE_TLS_CA?: string }): Promise<unknown> {
  const database = new Database(
    { DATABASE_POOL_SIZE: 1, DATABASE_TLS_CA: undefined, ...settings },
    createLogger('tls-test', 'silent'),
  )
  onTestFinished(() => database.close())
  const { rows } = await database.query('SELECT 1 AS one')
  return rows
}

test.each(['localhost', '127.0.0.1'])('pool and migration check %s against the given authority', async host => {
  const settings = { DATABASE_URL: `${await urlOf(host)}?sslmode=verify-full`, DATABASE_TLS_CA: authority }
  expect(await ask(settings)).toEqual([{ one: 1 }])
  await migrate(settings, migrationsFolder)
})

test('a server that nobody vouches for gets neither queries nor migrations', async () => {
  const settings = { DATABASE_URL: `${await urlOf('localhost')}?sslmode=verify-full` }
  await expect(ask(settings)).rejects.toThrow(/self-signed/)
  await expect(migrate(settings, migrationsFolder)).rejects.toThrow(/self-signed/)
})

test('a server without TLS is refused when an authority is given', async () => {
  await expect(ask({ DATABASE_URL: plain, DATABASE_TLS_CA: authority })).rejects.toThrow(/does not support SSL/)
})
