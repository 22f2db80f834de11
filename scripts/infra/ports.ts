import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
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

export interface PortWish {
  /** What it had the last time; clients may remember it. */
  readonly kept?: number | undefined
  readonly usual?: number | undefined
}

/** One port for each name, all different: the one it had, else its usual one, else any that is free. */
export async function choosePorts<Name extends string>(
  wishes: Readonly<Record<Name, PortWish>>,
  isFree: (port: number) => Promise<boolean> = isPortFree,
): Promise<Record<Name, number>> {
  const chosen: Partial<Record<Name, number>> = {}
  const taken = new Set<number>()
  const usable = async (port: number) => !taken.has(port) && (await isFree(port))
  for (const name of Object.keys(wishes) as Name[]) {
    let port: number | undefined
    for (const wish of [wishes[name].kept, wishes[name].usual]) {
      if (port === undefined && wish !== undefined && (await usable(wish))) port = wish
    }
    while (port === undefined) {
      const candidate = randomPort()
      if (await usable(candidate)) port = candidate
    }
    taken.add(port)
    chosen[name] = port
  }
  return chosen as Record<Name, number>
}

export interface PortOwner {
  readonly pid: number
  readonly command: string
}

/** Who listens on it; undefined when nobody does, or when it belongs to a user whose processes we may not see. */
export function findPortOwner(port: number): PortOwner | undefined {
  return process.platform === 'linux' ? linuxPortOwner(port) : lsofPortOwner(port)
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

function linuxPortOwner(port: number): PortOwner | undefined {
  const sockets = new Set(
    ['/proc/net/tcp', '/proc/net/tcp6']
      .flatMap(table => listeningInodes(readText(table), port))
      .map(inode => `socket:[${inode}]`),
  )
  if (sockets.size === 0) return undefined
  const pids = readdirSync('/proc').filter(entry => /^\d+$/.test(entry))
  const pid = pids.find(candidate => openFiles(candidate).some(file => sockets.has(file)))
  if (pid === undefined) return undefined
  return { pid: Number(pid), command: readText(`/proc/${pid}/cmdline`).replaceAll('\0', ' ').trim() }
}

/** Rows of /proc/net/tcp: local address as `hex:hexport` in the second column, `0A` (listen) in the fourth, inode in the tenth. */
export function listeningInodes(table: string, port: number): string[] {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, '0')}`
  return table
    .split('\n')
    .map(row => row.trim().split(/\s+/))
    .filter(columns => columns[1]?.endsWith(suffix) && columns[3] === '0A')
    .map(columns => columns[9] ?? '')
}

function openFiles(pid: string): string[] {
  try {
    return readdirSync(`/proc/${pid}/fd`).map(fd => {
      try {
        return readlinkSync(`/proc/${pid}/fd/${fd}`)
      } catch {
        return ''
      }
    })
  } catch {
    return []
  }
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}

function lsofPortOwner(port: number): PortOwner | undefined {
  try {
    const listing = execFileSync('lsof', ['-nP', `-iTCP:${port}`, '-sTCP:LISTEN', '-Fp'], { encoding: 'utf8' })
    const pid = /^p(\d+)$/m.exec(listing)?.[1]
    if (pid === undefined) return undefined
    return { pid: Number(pid), command: execFileSync('ps', ['-o', 'command=', '-p', pid], { encoding: 'utf8' }).trim() }
  } catch {
    return undefined
  }
}
