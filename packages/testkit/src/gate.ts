import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

export interface Gate extends AsyncDisposable {
  host: string
  port: number
  /** From now on lets new connections through. Those that were frozen stay frozen: nobody ever tells them of their end. */
  open(): Promise<void>
  /** Cuts every connection and refuses new ones, as a server that is gone does. */
  close(): Promise<void>
  /** Keeps every connection, takes new ones, and lets nothing pass any more, as a server that is stopped does. */
  freeze(): void
  /** New connections go to this server; those that are there stay where they are, as when an address moves. */
  moveTo(target: Address): void
}

export interface Address {
  host: string
  port: number
}

/**
 * A door in front of a real server. Good for Postgres and Redis at any time; for Kafka only until the first connection,
 * because brokers tell clients their own address.
 */
export async function startGate(firstTarget: Address): Promise<Gate> {
  const sockets = new Set<Socket>()
  let target = firstTarget
  let frozen = false
  const server = createServer(incoming => {
    const outgoing = connect(target)
    for (const socket of [incoming, outgoing]) {
      sockets.add(socket)
      socket.on('error', () => {})
      socket.once('close', () => {
        sockets.delete(socket)
        incoming.destroy()
        outgoing.destroy()
      })
    }
    if (!frozen) incoming.pipe(outgoing).pipe(incoming)
  })
  const freeze = () => {
    frozen = true
    for (const socket of sockets) socket.unpipe().pause()
  }
  const listen = async (port: number) => {
    server.listen(port, '127.0.0.1')
    await once(server, 'listening')
    return (server.address() as AddressInfo).port
  }
  const close = async () => {
    if (!server.listening) return
    const closed = once(server, 'close')
    server.close()
    for (const socket of sockets) socket.destroy()
    await closed
  }
  const port = await listen(0)
  await close()
  const open = async () => {
    frozen = false
    if (!server.listening) await listen(port)
  }
  const moveTo = (other: Address) => {
    target = other
  }
  return { host: '127.0.0.1', port, open, close, freeze, moveTo, [Symbol.asyncDispose]: close }
}

/** Where a URL or the first of a list of brokers points to. */
export function targetOf(address: string): Address {
  const { hostname, port } = new URL(address.includes('://') ? address : `kafka://${address.split(',')[0]}`)
  return { host: hostname, port: Number(port) }
}
