import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import type { Socket } from 'node:net'

/** Breaks the connections that this process has to brokers, as a network does: in the middle of whatever is under way. */
export interface Cutter extends Disposable {
  cut(): void
}

export function cutter(): Cutter {
  const sockets = new Set<Socket>()
  const onSocket = (message: unknown) => {
    const { socket } = message as { socket: Socket }
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  }
  subscribe('net.client.socket', onSocket)
  return {
    cut() {
      for (const socket of sockets) socket.destroy(new Error('the connection was cut'))
    },
    [Symbol.dispose]() {
      unsubscribe('net.client.socket', onSocket)
    },
  }
}
