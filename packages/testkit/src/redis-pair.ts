import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { type AddressInfo, connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { eventually } from './eventually.ts'
import { type Address, type Gate, startGate } from './gate.ts'

/** A primary and its replica behind one address, as a Redis that somebody else looks after is offered. */
export interface RedisPair extends AsyncDisposable {
  /** Leads to the primary. */
  url: string
  gate: Gate
  primary: Address
  replica: Address
  /**
   * They change places and the address moves. Nobody is told: connections to the server that was the primary stay open,
   * and it answers them as a replica does.
   */
  failOver(): Promise<void>
}

/** Servers of a test's own can be had where `./tocsin test` runs real ones as processes too. */
export const hasRedisPairs = process.env.TOCSIN_TEST_INFRA === 'embedded'

/** For what cannot be done to the Redis that all tests share. */
export async function startRedisPair(): Promise<RedisPair> {
  await using undo = new AsyncDisposableStack()
  const [first, second] = [undo.use(await startRedis()), undo.use(await startRedis())]
  const gate = undo.use(await startGate(first))
  await follow(second, first)
  await gate.open()
  const pair = { url: `redis://${gate.host}:${gate.port}`, gate, primary: first as Address, replica: second as Address }
  const failOver = async () => {
    const { primary, replica } = pair
    await tellRedis(replica, 'REPLICAOF NO ONE')
    await follow(primary, replica)
    Object.assign(pair, { primary: replica, replica: primary })
    gate.moveTo(replica)
  }
  const running = undo.move()
  return Object.assign(pair, { failOver, [Symbol.asyncDispose]: () => running.disposeAsync() })
}

async function follow(replica: Address, { host, port }: Address): Promise<void> {
  await tellRedis(replica, `REPLICAOF ${host} ${port}`)
  await eventually(async () => {
    const answer = await tellRedis(replica, 'INFO replication')
    if (!answer.includes('master_link_status:up')) throw new Error(`the replica does not follow: ${answer}`)
  })
}

/** One command over a connection of its own; its answer as it comes. */
export async function tellRedis(address: Address, command: string): Promise<string> {
  const socket = connect(address)
  try {
    socket.write(`${command}\r\n`)
    const [answer] = await once(socket, 'data')
    return String(answer)
  } finally {
    socket.destroy()
  }
}

async function startRedis(): Promise<Address & AsyncDisposable> {
  const program = ['redis-server', 'valkey-server'].find(name => spawnSync(name, ['--version']).status === 0)
  if (program === undefined) throw new Error('neither redis-server nor valkey-server is on the path')
  const address = { host: '127.0.0.1', port: await freePort() }
  const dir = mkdtempSync(join(tmpdir(), 'tocsin-redis-'))
  // Without the delay a replica waits 5 s for others that might want the same copy.
  const settings = { port: address.port, bind: address.host, dir, save: '', 'repl-diskless-sync-delay': 0 }
  const args = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, String(value)])
  const child = spawn(program, args, { stdio: 'ignore' })
  const exited = once(child, 'exit')
  const kill = () => child.kill('SIGKILL')
  process.once('exit', kill)
  const end = async () => {
    process.off('exit', kill)
    kill()
    await exited
    rmSync(dir, { recursive: true, force: true })
  }
  await using undo = new AsyncDisposableStack()
  undo.defer(end)
  await eventually(() => tellRedis(address, 'PING'))
  undo.move()
  return { ...address, [Symbol.asyncDispose]: end }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}
