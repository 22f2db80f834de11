import { createSocket } from 'node:dgram'
import { createServer } from 'node:net'
import { canConnect } from './probes.ts'

export const loopback = '127.0.0.1'

/**
 * Where a free port is looked for: below the range that systems take for outgoing connections (32768 on Linux, 49152
 * on macOS), so that a port that is kept for the next start is not gone by chance then.
 */
const freeRange = { from: 20_000, to: 30_000 }

/** Free to listen on. Binding alone does not tell: macOS binds an address that another process has under `*`. */
export async function isPortFree(port: number): Promise<boolean> {
  return (await canBind(port)) && !(await canConnect({ host: loopback, port }))
}

/** Gives the right to a port, or undefined when somebody has it. */
export type ClaimPort = (port: number) => Promise<Disposable | undefined>

/**
 * Between our look and the moment that a server listens lie seconds (on the first start minutes), and another stack may
 * look meanwhile. The UDP port of the same number is the claim: TCP stays free for the server, every stack of every user
 * sees it, and the kernel takes it back however we end.
 */
export const claimPort: ClaimPort = async port => {
  const socket = createSocket('udp4').unref()
  const bound = await new Promise<boolean>(resolve => {
    socket.once('error', () => resolve(false))
    socket.bind({ port, address: loopback, exclusive: true }, () => resolve(true))
  })
  if (bound && (await isPortFree(port))) return { [Symbol.dispose]: () => socket.close() }
  socket.close()
  return undefined
}

export interface PortWish {
  /** What it had the last time; clients may remember it. */
  readonly kept?: number | undefined
  readonly usual?: number | undefined
}

export interface ChosenPorts<Name extends string> extends Disposable {
  readonly ports: Readonly<Record<Name, number>>
}

/** A port for each name: the one it had, else its usual one, else any that is free. Disposing gives up the claims. */
export async function choosePorts<Name extends string>(
  wishes: Readonly<Record<Name, PortWish>>,
  claim: ClaimPort = claimPort,
): Promise<ChosenPorts<Name>> {
  const chosen: Partial<Record<Name, number>> = {}
  using claims = new DisposableStack()
  const claimed = async (port: number | undefined) => {
    const right = port === undefined ? undefined : await claim(port)
    if (right) claims.use(right)
    return right ? port : undefined
  }
  for (const name of Object.keys(wishes) as Name[]) {
    const { kept, usual } = wishes[name]
    let port = (await claimed(kept)) ?? (await claimed(usual))
    while (port === undefined) port = await claimed(randomPort())
    chosen[name] = port
  }
  const held = claims.move()
  return { ports: chosen as Record<Name, number>, [Symbol.dispose]: () => held.dispose() }
}

function canBind(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen(port, loopback, () => server.close(() => resolve(true)))
  })
}

function randomPort(): number {
  return freeRange.from + Math.floor(Math.random() * (freeRange.to - freeRange.from))
}
