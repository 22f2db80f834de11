import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { pipeline, type Transform } from 'node:stream'

export interface Gate extends AsyncDisposable {
  host: string
  port: number
  /** From now on lets new connections through. Those that were frozen stay frozen: nobody ever tells them of their end. */
  open(): Promise<void>
  /** Cuts every connection and refuses new ones, as a server that is gone does. */
  close(): Promise<void>
  /** Keeps every connection, takes new ones, and lets nothing pass any more, as a server that is stopped does. */
  freeze(): void
  /** Cuts every connection with a reset, as a router does that forgot them; new ones are let through. */
  reset(): void
  /** New connections go to this server; those that are there stay where they are, as when an address moves. */
  moveTo(target: Address): void
}

export interface Address {
  host: string
  port: number
}

/** What the bytes of a connection pass, one after the other, on their way there and back. Made for each connection. */
export type Passage = () => { there: Transform[]; back: Transform[] }

/**
 * A door in front of a real server. Good for Postgres and Redis at any time; for Kafka only until the first connection,
 * because brokers tell clients their own address, unless what they tell is changed on its way (`kafkaPassage`).
 */
export async function startGate(firstTarget: Address, passage?: Passage): Promise<Gate> {
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
    if (!frozen) join(incoming, outgoing, passage)
  })
  const freeze = () => {
    frozen = true
    for (const socket of sockets) socket.unpipe().pause()
  }
  const reset = () => {
    for (const socket of sockets) socket.resetAndDestroy()
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
  return { host: '127.0.0.1', port, open, close, freeze, reset, moveTo, [Symbol.asyncDispose]: close }
}

function join(incoming: Socket, outgoing: Socket, passage: Passage | undefined): void {
  if (passage === undefined) {
    incoming.pipe(outgoing).pipe(incoming)
    return
  }
  const { there, back } = passage()
  // A connection that ends takes its passage with it; that one was cut in the middle is what gates are for.
  pipeline([incoming, ...there, outgoing], () => {})
  pipeline([outgoing, ...back, incoming], () => {})
}

/** Where a URL or the first of a list of brokers points to. */
export function targetOf(address: string): Address {
  const { hostname, port } = new URL(address.includes('://') ? address : `kafka://${address.split(',')[0]}`)
  return { host: hostname, port: Number(port) }
}
