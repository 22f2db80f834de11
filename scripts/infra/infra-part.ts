import { readFileSync } from 'node:fs'
import type { Home } from '../home.ts'
import { ManagedProcess, type ProcessObserver, type ProcessSpec } from '../processes/managed-process.ts'
import { CliError, type Report, seconds } from '../report.ts'
import { listensOn } from './port-owner.ts'
import { becomesTrue } from './probes.ts'

export const partNames = ['postgres', 'kafka', 'redis', 'mail'] as const
export type PartName = (typeof partNames)[number]
export type PartKind = 'given' | 'containers' | 'embedded'

/** One server that the services need, wherever it comes from. */
export interface InfraPart {
  readonly name: PartName
  readonly kind: PartKind
  /** The environment variables by which the services find it. */
  readonly settings: Readonly<Record<string, string>>
  /** Returns when it answers. Again after `kill`, on the same port and with the same data. */
  start(): Promise<void>
  stop(): Promise<void>
  /** As a crash would end it; it stays down until `start`. For tests. */
  kill(): Promise<void>
}

/** What every part needs to know about the stack that it belongs to. */
export interface PartContext {
  readonly home: Home
  readonly env: NodeJS.ProcessEnv
  readonly report: Report
  readonly observe: ProcessObserver
  /** Fires when a stop is asked for while things still start. */
  readonly signal: AbortSignal
  /** False only for tests: a crash of the machine may cost data then. */
  readonly fsync: boolean
}

export interface LocalServer {
  readonly name: PartName
  /** For people: `PostgreSQL 18.4 on port 5432`. */
  readonly title: string
  readonly settings: Readonly<Record<string, string>>
  /** That the process listens on it, and not another one, is part of being ready. */
  readonly port: number
  /** Everything that must be there before the process can start: binaries, formatted data. Repeatable. */
  prepare(): Promise<ProcessSpec>
  answers(): Promise<boolean>
}

/** The slowest start seen is a Kafka that recovers a log after a crash; a hang must still end some time. */
const readyWithinMs = 90_000

/** A real server as a child process. */
export function processPart(server: LocalServer, { report, observe, signal }: PartContext): InfraPart {
  const { name, title, settings } = server
  let running: ManagedProcess | undefined
  return {
    name,
    kind: 'embedded',
    settings,
    async start() {
      const startedAt = Date.now()
      running = new ManagedProcess(await server.prepare(), observe)
      signal.throwIfAborted()
      running.start()
      await waitUntilReady(running, server, signal)
      report(name, `${title} (${seconds(startedAt)})`)
    },
    stop: async () => running?.stop(),
    kill: async () => running?.kill(),
  }
}

async function waitUntilReady(process: ManagedProcess, server: LocalServer, signal: AbortSignal): Promise<void> {
  const failBecause = (reason: string): never => {
    const { logFile } = process.spec
    const ending = lastLines(logFile, process.logStart)
    throw new CliError(`${server.name} did not start: ${reason}\n${ending}\nIts log: ${logFile}`)
  }
  const answers = async () => {
    const pid = process.identity?.pid
    return pid !== undefined && (await server.answers()) && listensOn(pid, server.port)
  }
  const ready = await becomesTrue(answers, {
    withinMs: readyWithinMs,
    check() {
      signal.throwIfAborted()
      if (process.lastDeath) failBecause(process.lastDeath.cause)
    },
  })
  if (!ready) failBecause(`no answer within ${readyWithinMs / 1_000} s`)
}

/** The end of a log, indented, for an error message; nothing of what was in it before `from`. */
export function lastLines(file: string, from = 0, count = 8): string {
  try {
    const lines = readFileSync(file).subarray(from).toString().trimEnd().split('\n')
    return lines
      .slice(-count)
      .map(line => `    ${line}`)
      .join('\n')
  } catch {
    return ''
  }
}
