import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync, statSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { identify, isRunning, type ProcessIdentity } from './process-identity.ts'
import { RestartDelay } from './restart-delay.ts'

export interface ProcessSpec {
  readonly name: string
  readonly command: string
  readonly args: readonly string[]
  readonly env: NodeJS.ProcessEnv
  readonly logFile: string
  readonly cwd?: string
  readonly user?: { readonly uid: number; readonly gid: number } | undefined
  /** What is sent to stop it and how long each may take. SIGKILL comes after the last. */
  readonly stopSteps: readonly { readonly signal: NodeJS.Signals; readonly graceMs: number }[]
}

export type ProcessEvent =
  | { readonly kind: 'started'; readonly name: string; readonly identity: ProcessIdentity }
  | { readonly kind: 'stopped'; readonly name: string }
  | { readonly kind: 'died'; readonly name: string; readonly cause: string; readonly restartInMs: number }

export type ProcessObserver = (event: ProcessEvent) => void

export interface Death {
  readonly exitCode: number | null
  /** `exit code 2`, `SIGKILL`, `spawn ENOENT`: for people. */
  readonly cause: string
}

/**
 * A child process that is wanted: when it dies by itself it is started again, after a back-off. Its output goes
 * straight into its log file, so it neither waits for us nor suffers when we are killed. It leads a process group of
 * its own: a Ctrl-C in the terminal reaches the supervisor only, which stops everything in order.
 */
export class ManagedProcess {
  readonly spec: ProcessSpec
  readonly #observe: ProcessObserver
  #delay = new RestartDelay()
  #child: ChildProcess | undefined
  #identity: ProcessIdentity | undefined
  #wanted = false
  #stopping: Promise<void> | undefined
  #restartTimer: NodeJS.Timeout | undefined
  #lastDeath: Death | undefined
  #logStart = 0

  constructor(spec: ProcessSpec, observe: ProcessObserver) {
    this.spec = spec
    this.#observe = observe
  }

  get name(): string {
    return this.spec.name
  }

  /** Undefined while it is down, also between a death and the next start. */
  get identity(): ProcessIdentity | undefined {
    return this.#identity
  }

  /** Why it ended the last time that nobody asked it to, since the last `start`. */
  get lastDeath(): Death | undefined {
    return this.#lastDeath
  }

  /** Where in its log the output since the last `start` begins. */
  get logStart(): number {
    return this.#logStart
  }

  start(): void {
    if (this.#wanted) return
    this.#logStart = statSync(this.spec.logFile, { throwIfNoEntry: false })?.size ?? 0
    this.#wanted = true
    this.#lastDeath = undefined
    this.#delay = new RestartDelay()
    this.#spawn()
  }

  /** Asks it to end, insists when it does not, and returns when it is gone. */
  stop(): Promise<void> {
    // Shared while in flight: to a service, a second SIGTERM means "now".
    this.#stopping ??= this.#end(this.spec.stopSteps).finally(() => {
      this.#stopping = undefined
    })
    return this.#stopping
  }

  /** SIGKILL, and down until the next `start`. */
  async kill(): Promise<void> {
    await this.#end([])
  }

  async #end(steps: ProcessSpec['stopSteps']): Promise<void> {
    this.#wanted = false
    clearTimeout(this.#restartTimer)
    const child = this.#child
    if (!child || !this.#identity) return
    const exited = once(child, 'exit')
    for (const { signal, graceMs } of steps) {
      child.kill(signal)
      if (await settlesWithin(exited, graceMs)) return
    }
    if (this.#identity) killGroup(this.#identity)
    await exited
  }

  #spawn(): void {
    const { name, command, args, env, cwd, user, logFile } = this.spec
    const startedAt = Date.now()
    const log = openSync(logFile, 'a')
    const child = spawn(command, args, { env, cwd, ...user, detached: true, stdio: ['ignore', log, log] })
    closeSync(log)
    this.#child = child
    child.once('error', error => child.pid === undefined && this.#ended(null, error.message, startedAt))
    child.once('exit', (code, signal) => this.#ended(code, signal ?? `exit code ${code}`, startedAt))
    // A child that ended within these microseconds has no identity, and its exit event is on the way.
    this.#identity = child.pid === undefined ? undefined : identify(child.pid)
    if (this.#identity) this.#observe({ kind: 'started', name, identity: this.#identity })
  }

  #ended(exitCode: number | null, cause: string, startedAt: number): void {
    this.#identity = undefined
    if (!this.#wanted) {
      this.#observe({ kind: 'stopped', name: this.name })
      return
    }
    this.#lastDeath = { exitCode, cause }
    const restartInMs = this.#delay.next(Date.now() - startedAt)
    this.#restartTimer = setTimeout(() => this.#spawn(), restartInMs)
    this.#observe({ kind: 'died', name: this.name, cause, restartInMs })
  }
}

/** The whole group, because a killed server cannot take its helpers with it. */
export function killGroup(identity: ProcessIdentity): void {
  if (!isRunning(identity)) return
  try {
    process.kill(-identity.pid, 'SIGKILL')
  } catch {
    // gone in between
  }
}

async function settlesWithin(promise: Promise<unknown>, withinMs: number): Promise<boolean> {
  const timer = new AbortController()
  try {
    return await Promise.race([promise.then(() => true), sleep(withinMs, false, { signal: timer.signal })])
  } finally {
    timer.abort()
  }
}
