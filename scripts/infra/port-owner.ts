import { execFileSync, spawnSync } from 'node:child_process'
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'

export interface PortOwner {
  readonly pid: number
  readonly command: string
}

/** Who listens on it; undefined when nobody does, or when it belongs to a user whose processes we may not see. */
export function findPortOwner(port: number): PortOwner | undefined {
  return process.platform === 'linux' ? linuxPortOwner(port) : lsofPortOwner(port)
}

/** Whether this very process listens on it, and not another one that was there first. */
export function listensOn(pid: number, port: number): boolean {
  if (process.platform === 'linux') return hasOneOf(String(pid), listeningSockets(port))
  const { status } = spawnSync('lsof', ['-nP', '-a', '-p', String(pid), `-iTCP:${port}`, '-sTCP:LISTEN'])
  return status === 0
}

function linuxPortOwner(port: number): PortOwner | undefined {
  const sockets = listeningSockets(port)
  if (sockets.size === 0) return undefined
  const pids = readdirSync('/proc').filter(entry => /^\d+$/.test(entry))
  const pid = pids.find(candidate => hasOneOf(candidate, sockets))
  if (pid === undefined) return undefined
  return { pid: Number(pid), command: readText(`/proc/${pid}/cmdline`).replaceAll('\0', ' ').trim() }
}

/** As they are named among the open files of the process that has them. */
function listeningSockets(port: number): ReadonlySet<string> {
  const inodes = ['/proc/net/tcp', '/proc/net/tcp6'].flatMap(table => listeningInodes(readText(table), port))
  return new Set(inodes.map(inode => `socket:[${inode}]`))
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

function hasOneOf(pid: string, sockets: ReadonlySet<string>): boolean {
  return listFolder(`/proc/${pid}/fd`).some(fd => sockets.has(linkTarget(`/proc/${pid}/fd/${fd}`)))
}

// Processes end and files close while we look, and others' are closed to us: then there is nothing to see.

function listFolder(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}

function linkTarget(link: string): string {
  try {
    return readlinkSync(link)
  } catch {
    return ''
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
