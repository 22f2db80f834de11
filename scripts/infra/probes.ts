import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

const answerTimeoutMs = 1_000

export function canConnect({ host, port }: Address): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect({ host, port, timeout: answerTimeoutMs })
    const done = (result: boolean) => {
      socket.destroy()
      resolve(result)
    }
    socket.once('connect', () => done(true))
    socket.once('error', () => done(false))
    socket.once('timeout', () => done(false))
  })
}

export interface Address {
  readonly host: string
  readonly port: number
}

/** The first bytes that a server answers to `request`; undefined when it does not. */
function firstAnswer({ host, port }: Address, request: Uint8Array | string): Promise<Buffer | undefined> {
  return new Promise(resolve => {
    const socket = connect({ host, port, timeout: answerTimeoutMs })
    const done = (answer?: Buffer) => {
      socket.destroy()
      resolve(answer)
    }
    socket.once('connect', () => socket.write(request))
    socket.once('data', done)
    socket.once('error', () => done())
    socket.once('close', () => done())
    socket.once('timeout', () => done())
  })
}

/** `-LOADING` comes while it reads its file: only PONG counts. */
export async function redisAnswers(address: Address): Promise<boolean> {
  return (await firstAnswer(address, 'PING\r\n'))?.toString().startsWith('+PONG') ?? false
}

/** A start-up message, answered by `R` (authenticate) when sessions are taken, by an error while it still starts. */
export async function postgresAnswers(address: Address): Promise<boolean> {
  const parameters = Buffer.from('user\0tocsin\0database\0tocsin\0\0')
  const head = Buffer.alloc(8)
  head.writeInt32BE(head.length + parameters.length, 0)
  head.writeInt32BE(3 << 16, 4) // protocol 3.0
  return (await firstAnswer(address, Buffer.concat([head, parameters])))?.[0] === 'R'.charCodeAt(0)
}

/** ApiVersions v0, the one request that every broker of every version answers, and not before it serves clients. */
const apiVersionsRequest = Uint8Array.of(0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, 1, 0xff, 0xff)

export async function kafkaAnswers(address: Address): Promise<boolean> {
  const answer = await firstAnswer(address, apiVersionsRequest)
  // Length, the correlation id that we sent, then error code 0.
  return answer !== undefined && answer.length >= 10 && answer.readInt32BE(4) === 1 && answer.readInt16BE(8) === 0
}

/** A mail server speaks first, so nothing is asked. */
export async function smtpAnswers(address: Address): Promise<boolean> {
  return (await firstAnswer(address, ''))?.toString().startsWith('220') ?? false
}

export async function httpAnswers(url: string): Promise<boolean> {
  try {
    return (await fetch(url, { signal: AbortSignal.timeout(answerTimeoutMs) })).ok
  } catch {
    return false
  }
}

export interface WaitOptions {
  readonly withinMs: number
  /** Called after each look, before its answer counts; throws when waiting has become pointless. */
  readonly check?: () => void
  readonly everyMs?: number
}

/** False when the time is up. */
export async function becomesTrue(
  probe: () => Promise<boolean> | boolean,
  { withinMs, check = () => {}, everyMs = 50 }: WaitOptions,
): Promise<boolean> {
  for (const deadline = Date.now() + withinMs; ; ) {
    const answer = await probe()
    check()
    if (answer) return true
    if (Date.now() >= deadline) return false
    await sleep(everyMs)
  }
}
