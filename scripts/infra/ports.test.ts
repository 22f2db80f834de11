import { createServer, type Server } from 'node:net'
import { expect, it, onTestFinished } from 'vitest'
import { findPortOwner, listeningInodes, listensOn } from './port-owner.ts'
import { type ClaimPort, choosePorts, claimPort, isPortFree, type PortWish } from './ports.ts'

/** Claims as the real ones are, of ports of which all but some are free. */
function claimsBut(...taken: number[]): ClaimPort {
  const gone = new Set(taken)
  return async port => {
    if (gone.has(port)) return undefined
    gone.add(port)
    return { [Symbol.dispose]: () => void gone.delete(port) }
  }
}

async function choose<Name extends string>(wishes: Record<Name, PortWish>, claim = claimsBut()) {
  return (await choosePorts(wishes, claim)).ports
}

it('takes the usual port when it is free', async () => {
  const wishes = { postgres: { usual: 5432 }, redis: { usual: 6379 } }
  expect(await choose(wishes)).toEqual({ postgres: 5432, redis: 6379 })
})

it('keeps the port of the last time, also when the usual one is free again', async () => {
  expect(await choose({ postgres: { kept: 21_000, usual: 5432 } })).toEqual({ postgres: 21_000 })
})

it('goes back to the usual port when the kept one is taken', async () => {
  expect(await choose({ postgres: { kept: 21_000, usual: 5432 } }, claimsBut(21_000))).toEqual({ postgres: 5432 })
})

it('finds another port when the usual one is taken', async () => {
  const { postgres } = await choose({ postgres: { usual: 5432 } }, claimsBut(5432))
  expect(postgres).toBeGreaterThanOrEqual(20_000)
  expect(postgres).toBeLessThan(30_000)
})

it('never gives one port to two', async () => {
  const { smtp, web } = await choose({ smtp: { usual: 1025 }, web: { kept: 1025 } })
  expect(smtp).toBe(1025)
  expect(web).not.toBe(1025)
})

it('two stacks that choose at the same time choose different ports, until one gives its claims up', async () => {
  using first = await choosePorts({ redis: {} })
  const port = first.ports.redis
  using second = await choosePorts({ redis: { kept: port } })
  expect(second.ports.redis).not.toBe(port)
  expect(await isPortFree(port)).toBe(true)
  first[Symbol.dispose]()
  using again = await claimPort(port)
  expect(again).toBeDefined()
})

async function listening(host: string): Promise<number> {
  const server: Server = createServer()
  await new Promise<void>(resolve => server.listen(0, host, resolve))
  onTestFinished(() => void server.close())
  const address = server.address()
  return typeof address === 'object' && address ? address.port : 0
}

it.each(['127.0.0.1', '0.0.0.0'])('sees that a port is taken on %s, and by whom', async host => {
  const port = await listening(host)
  expect(await isPortFree(port)).toBe(false)
  expect(await claimPort(port)).toBeUndefined()
  expect(findPortOwner(port)).toMatchObject({ pid: process.pid, command: expect.stringContaining('node') })
  expect(listensOn(process.pid, port)).toBe(true)
  expect(listensOn(process.ppid, port)).toBe(false)
})

it('reads listening sockets of one port, not connections and not other ports', () => {
  const table = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 111 1 0
   1: 0100007F:1F90 0100007F:C350 01 00000000:00000000 00:00000000 00000000     0        0 222 1 0
   2: 0100007F:1F91 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 333 1 0`
  expect(listeningInodes(table, 8080)).toEqual(['111'])
})
