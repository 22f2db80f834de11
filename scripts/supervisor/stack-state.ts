import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Home } from '../home.ts'
import type { PartKinds } from '../infra/infra.ts'
import type { ProcessEvent } from '../processes/managed-process.ts'
import { identify, type ProcessIdentity } from '../processes/process-identity.ts'

export interface StackUrls {
  readonly rule_service: string
  readonly alert_producer: string
  /** Served by the rule-service once there is one. */
  readonly console: string | null
  readonly kafka_brokers: string
  readonly database_url: string
  readonly redis_url: string
  /** The page of the mail catcher; null when the mail server is given. */
  readonly mail: string | null
}

/** What other commands, and the supervisor after a crash, need to know of a stack. */
export interface StackState {
  readonly supervisor: ProcessIdentity
  readonly phase: 'starting' | 'ready' | 'stopping'
  /** Where each server comes from; null before that is decided. Containers have no pid of ours: labels name them. */
  readonly infra: PartKinds | null
  /** Everything that runs for this stack, by name. */
  readonly processes: Readonly<Record<string, ProcessIdentity>>
  readonly port_base: number
  readonly urls: StackUrls | null
}

const fileOf = (home: Home) => join(home.run, 'state.json')

/** Undefined when nothing runs or ran, and when the file cannot be read: the processes that it named are then unknown. */
export function readState(home: Home): StackState | undefined {
  try {
    return JSON.parse(readFileSync(fileOf(home), 'utf8')) as StackState
  } catch {
    return undefined
  }
}

export function removeState(home: Home): void {
  rmSync(fileOf(home), { force: true })
}

/** The supervisor's own view, written at every change, whole: a reader never sees half of it, nor does a crash leave half. */
export class StateFile {
  readonly #home: Home
  #state: StackState

  constructor(home: Home, state: StackState) {
    this.#home = home
    this.#state = state
    this.#write()
  }

  get current(): StackState {
    return this.#state
  }

  update(changes: Partial<StackState>): void {
    this.#state = { ...this.#state, ...changes }
    try {
      this.#write()
    } catch {
      // The disk became full. To end over it would leave everything running; and what the file still says is only old:
      // a process that it names is known by its start, too.
    }
  }

  /** Synchronous on purpose: from the moment a process runs, a crash of ours must find it named here. */
  readonly record = (event: ProcessEvent): void => {
    const { [event.name]: _, ...others } = this.#state.processes
    this.update({ processes: event.kind === 'started' ? { ...others, [event.name]: event.identity } : others })
  }

  remove(): void {
    removeState(this.#home)
  }

  #write(): void {
    const draft = `${fileOf(this.#home)}.${process.pid}`
    writeFileSync(draft, `${JSON.stringify(this.#state, undefined, 2)}\n`, { mode: 0o600 })
    renameSync(draft, fileOf(this.#home))
  }
}

/** The first state of a stack whose supervisor is this process. */
export function createState(home: Home, portBase: number): StateFile {
  const supervisor = identify(process.pid)
  if (!supervisor) throw new Error('this process cannot find itself')
  return new StateFile(home, {
    supervisor,
    phase: 'starting',
    port_base: portBase,
    infra: null,
    processes: {},
    urls: null,
  })
}
