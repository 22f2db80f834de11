import { backoffMs, failureLevel, pause } from './backoff.ts'
import { messageOf } from './errors.ts'
import { createLogger, type Logger } from './logger.ts'
import { type Probe, Readiness } from './readiness.ts'

type Undo = () => Promise<void> | void

/** What a service's `start` is given. Everything that must be undone is registered on the line after it exists. */
export interface Service {
  readonly name: string
  readonly log: Logger
  /** Fires when stopping begins; every sleep, fetch and loop takes it. */
  readonly stopping: AbortSignal
  /** Fires shortly before the time for a stop is over: whoever still waits for others gives up. */
  readonly cutOff: AbortSignal
  readonly readiness: Readiness
  onStop(step: string, undo: Undo): void
  /** A long-running task. Its failure, or its end before stopping, stops the service. */
  run(task: string, work: (stopping: AbortSignal) => Promise<void>): void
  /** A named part of `/ready`. */
  ready(check: string, probe: Probe): void
  /** Registers the check and waits, with back-off, until it passes once. Throws only when stopping. */
  waitFor(check: string, probe: Probe): Promise<void>
}

export interface RunOptions {
  /** How long a stop may take. */
  graceMs?: number
  logLevel?: string
}

const usualGraceMs = 10_000
/** For what is still to be undone when nobody is waited for any more. */
const afterCutOffMs = 1_000

/** Thrown out of `start` when a stop was requested while it still waited for something. Not a failure. */
class StoppedWhileStarting extends Error {}

/** One process = one service: start, wait for a signal or a failed task, undo in reverse order, exit. */
export async function runService(
  name: string,
  start: (service: Service) => Promise<void>,
  { graceMs = usualGraceMs, logLevel = 'info' }: RunOptions = {},
): Promise<void> {
  const log = createLogger(name, logLevel)
  const signals = ['SIGTERM', 'SIGINT'] as const
  const running = startService(name, log, start, { graceMs })
  const onSignal = (signal: NodeJS.Signals) => {
    if (running.stopRequested()) process.exit(130) // a second signal: the operator means it
    log.info({ signal }, 'stop requested')
    running.requestStop()
  }
  for (const signal of signals) process.on(signal, onSignal)

  const cause = await running.ended
  const deadline = setTimeout(() => {
    log.error({ graceMs }, 'stop took too long')
    process.exit(1)
  }, graceMs)
  const failure = (await running.stop()) ?? cause
  clearTimeout(deadline)
  for (const signal of signals) process.off(signal, onSignal)
  log.info('stopped')
  process.exitCode = failure === undefined ? 0 : 1
  // A handle that a library forgot would keep the process alive for ever; name it and go.
  setTimeout(() => {
    log.warn({ handles: process.getActiveResourcesInfo() }, 'something kept the process alive; exiting')
    process.exit()
  }, 1_000).unref()
}

export interface RunningService {
  readonly service: Service
  /** Resolves when `start` has finished; rejects when it failed. */
  readonly started: Promise<void>
  /** Resolves when stopping should begin: with the failure, or undefined when it was asked for. */
  readonly ended: Promise<unknown>
  stopRequested(): boolean
  requestStop(): void
  /** Undoes everything in reverse; the same promise however often it is called. Gives the first failure. */
  stop(): Promise<unknown>
}

/** The lifecycle without the process: no signals, no exit. Tests start whole services with it. */
export function startService(
  name: string,
  log: Logger,
  start: (service: Service) => Promise<void>,
  { graceMs = usualGraceMs }: Pick<RunOptions, 'graceMs'> = {},
): RunningService {
  const lifecycle = new Lifecycle(log, graceMs)
  const service = serviceOf(name, log, lifecycle)
  const started = startedOf(service, lifecycle, start(service))
  const stopOnce = async () => {
    lifecycle.beginStop()
    // A start that still runs registers more to undo; it sees the signal and ends soon.
    await started.catch(() => {})
    return lifecycle.undoAll()
  }
  let requested = false
  let stopped: Promise<unknown> | undefined
  return {
    service,
    started,
    ended: lifecycle.ended,
    stopRequested: () => requested,
    requestStop() {
      requested = true
      // Not ready, and no new work, from this moment on: also while `start` still waits for a dependency.
      lifecycle.beginStop()
      lifecycle.end(undefined)
    },
    stop() {
      stopped ??= stopOnce()
      return stopped
    },
  }
}

/** What the service and whoever runs it share: what is to be undone, and the two steps to the end. */
class Lifecycle {
  readonly readiness = new Readiness()
  readonly #log: Logger
  readonly #graceMs: number
  readonly #stopping = new AbortController()
  readonly #cutOff = new AbortController()
  readonly #ended = Promise.withResolvers<unknown>()
  readonly #undo: { step: string; fn: Undo }[] = []

  constructor(log: Logger, graceMs: number) {
    this.#log = log
    this.#graceMs = graceMs
  }

  get cutOff(): AbortSignal {
    return this.#cutOff.signal
  }

  get stopping(): AbortSignal {
    return this.#stopping.signal
  }

  get ended(): Promise<unknown> {
    return this.#ended.promise
  }

  /** Says that stopping should begin, and why; the first cause counts. */
  end(cause: unknown): void {
    this.#ended.resolve(cause)
  }

  beginStop(): void {
    if (this.stopping.aborted) return
    this.readiness.stop()
    this.#stopping.abort()
    const cutOffMs = Math.max(this.#graceMs - afterCutOffMs, this.#graceMs / 2)
    setTimeout(() => this.#cutOff.abort(), cutOffMs).unref()
  }

  onStop(step: string, fn: Undo): void {
    this.#undo.push({ step, fn })
  }

  async undoAll(): Promise<unknown> {
    let failure: unknown
    for (const { step, fn } of this.#undo.reverse()) {
      try {
        await fn()
      } catch (error) {
        failure ??= error
        this.#log.error({ err: error, step }, 'stop step failed')
      }
    }
    return failure
  }
}

function serviceOf(name: string, log: Logger, lifecycle: Lifecycle): Service {
  const { stopping, cutOff, readiness } = lifecycle
  return {
    name,
    log,
    stopping,
    cutOff,
    readiness,
    onStop: (step, undo) => lifecycle.onStop(step, undo),
    run(task, work) {
      const done = endOfTask(task, work(stopping), log, lifecycle)
      lifecycle.onStop(task, () => done)
    },
    ready: (check, probe) => readiness.add(check, probe),
    waitFor(check, probe) {
      readiness.add(check, probe)
      return untilPassed(check, probe, log, stopping)
    },
  }
}

async function endOfTask(task: string, done: Promise<void>, log: Logger, lifecycle: Lifecycle): Promise<void> {
  try {
    await done
    if (!lifecycle.stopping.aborted) lifecycle.end(new Error(`${task} ended by itself`))
  } catch (error) {
    if (!lifecycle.stopping.aborted) log.error({ err: error, task }, 'task failed')
    lifecycle.end(error)
  }
}

async function untilPassed(check: string, probe: Probe, log: Logger, stopping: AbortSignal): Promise<void> {
  for (let attempt = 1; !stopping.aborted; attempt++) {
    try {
      return await probe()
    } catch (error) {
      log[failureLevel(attempt)]({ check, attempt, error: messageOf(error) }, 'waiting for a dependency')
      await pause(backoffMs(attempt, { capMs: 2_000 }), stopping)
    }
  }
  throw new StoppedWhileStarting()
}

function startedOf({ log, readiness }: Service, lifecycle: Lifecycle, starting: Promise<void>): Promise<void> {
  const started = starting.then(
    () => {
      readiness.started()
      log.info('started')
    },
    error => {
      if (error instanceof StoppedWhileStarting) return
      log.error({ err: error }, 'start failed')
      lifecycle.end(error)
      throw error
    },
  )
  started.catch(() => {}) // `ended` carries the failure; nobody has to await `started`
  return started
}
