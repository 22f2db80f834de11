import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

/**
 * A pid alone does not name a process: the system hands it out again. With the moment of its start it does, so
 * nothing is ever signalled because its pid was once one of ours.
 */
export interface ProcessIdentity {
  readonly pid: number
  readonly startedAt: string
}

/** Undefined when no such process runs. */
export function identify(pid: number): ProcessIdentity | undefined {
  const startedAt = process.platform === 'linux' ? linuxStart(pid) : portableStart(pid)
  return startedAt === undefined ? undefined : { pid, startedAt }
}

export function isRunning({ pid, startedAt }: ProcessIdentity): boolean {
  return identify(pid)?.startedAt === startedAt
}

/** True when the process was there to take the signal. */
export function signalProcess(identity: ProcessIdentity, signal: NodeJS.Signals): boolean {
  if (!isRunning(identity)) return false
  try {
    return process.kill(identity.pid, signal)
  } catch {
    return false
  }
}

/** Undefined when the process is gone. */
export function residentBytes(pid: number): number | undefined {
  try {
    const kibibytes =
      process.platform === 'linux'
        ? /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
        : execFileSync('ps', ['-o', 'rss=', '-p', String(pid)], { encoding: 'utf8' })
    return kibibytes === undefined ? undefined : Number(kibibytes) * 1024
  } catch {
    return undefined
  }
}

/** Ticks since boot repeat after a reboot, so the boot's own id is part of the mark. */
function linuxStart(pid: number): string | undefined {
  try {
    const parsed = parseStat(readFileSync(`/proc/${pid}/stat`, 'utf8'))
    // A zombie has ended; only its parent has not asked how. Under a PID 1 that never asks it stays for ever.
    if (parsed.state === 'Z' || parsed.state === 'X') return undefined
    return `${bootId()}/${parsed.startTicks}`
  } catch {
    return undefined
  }
}

/** The command's name, in parentheses, may hold spaces and parentheses itself: fields are counted from the last one. */
export function parseStat(stat: string): { state: string; startTicks: string } {
  const [state = '', ...fields] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return { state, startTicks: fields[18] ?? '' }
}

let knownBootId: string | undefined
function bootId(): string {
  knownBootId ??= readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
  return knownBootId
}

function portableStart(pid: number): string | undefined {
  try {
    const line = execFileSync('ps', ['-o', 'state=,lstart=', '-p', String(pid)], { encoding: 'utf8' }).trim()
    return line.startsWith('Z') ? undefined : line.replace(/^\S+\s+/, '')
  } catch {
    return undefined
  }
}
