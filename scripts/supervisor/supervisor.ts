import { createHome, type Home } from '../home.ts'
import { type Infra, type PartKinds, startInfra } from '../infra/infra.ts'
import type { PartKind } from '../infra/infra-part.ts'
import { killGroup, type ProcessObserver } from '../processes/managed-process.ts'
import type { Report } from '../report.ts'
import { endLeftovers } from './leftovers.ts'
import { prepareStack } from './prepare-stack.ts'
import { claimServicePorts } from './service-ports.ts'
import { startServices, stopServices, untilReady } from './service-processes.ts'
import { serviceEnvironment, serviceUrl } from './services.ts'
import { acquireStackLock } from './stack-lock.ts'
import { createState, readState, type StackUrls, type StateFile } from './stack-state.ts'

export interface StackOptions {
  readonly home: Home
  readonly env: NodeJS.ProcessEnv
  /** Where the servers come from; undefined takes the first that applies. */
  readonly kind: PartKind | undefined
  readonly portBase: number
  readonly report: Report
  /** Fires when a stop is asked for while things still start. */
  readonly signal: AbortSignal
}

export interface Stack extends AsyncDisposable {
  readonly urls: StackUrls
  readonly adminKey: string
}

/** Another supervisor has this home: its stack starts, runs or stops. */
export class StackIsTaken extends Error {}

/**
 * Brings everything up in order and returns when every service is ready. Disposing of the stack takes everything down in
 * the reverse order; a start that fails or is interrupted does the same with what it had.
 */
export async function startStack(options: StackOptions): Promise<Stack> {
  const { home, env, portBase, report, signal } = options
  createHome(home)
  await using undo = new AsyncDisposableStack()
  const lock = acquireStackLock(home)
  if (!lock) throw new StackIsTaken()
  undo.use(lock)
  await endLeftovers(home, env, report)
  undo.use(await claimServicePorts(portBase))

  const state = createState(home, portBase)
  let serversLeft = false
  undo.defer(() => {
    if (!serversLeft) state.remove() // otherwise it tells the next up or down that there is something to end
  })
  const observe = observer(state, report)
  const onChosen = (kinds: PartKinds) => state.update({ infra: kinds })
  const infra = await startInfra({ ...options, observe, onChosen, fsync: true, usualPorts: true })
  undo.defer(async () => {
    serversLeft = true
    await infra.stop()
    serversLeft = false
  })

  const environment = serviceEnvironment(env, infra)
  const adminKey = await prepareStack(home, environment, report)
  signal.throwIfAborted()
  const services = startServices({ home, env: environment, portBase }, observe)
  undo.defer(() => stopServices(services))
  await untilReady(services, options)

  const urls = stackUrls(portBase, infra)
  state.update({ phase: 'ready', urls })
  undo.defer(() => state.update({ phase: 'stopping' }))
  const running = undo.move()
  return { urls, adminKey, [Symbol.asyncDispose]: () => running.disposeAsync() }
}

/** For a stop that cannot wait: every process of the stack, at once. */
export function killStack(home: Home): void {
  for (const identity of Object.values(readState(home)?.processes ?? {})) killGroup(identity)
}

function observer(state: StateFile, report: Report): ProcessObserver {
  const died = new Set<string>()
  return event => {
    state.record(event)
    if (event.kind === 'died') {
      died.add(event.name)
      report(event.name, `died (${event.cause}), will be started again in ${event.restartInMs / 1_000} s`)
    }
    if (event.kind === 'started' && died.delete(event.name)) {
      report(event.name, `started again (pid ${event.identity.pid})`)
    }
  }
}

function stackUrls(portBase: number, infra: Infra): StackUrls {
  return {
    rule_service: serviceUrl('rule-service', portBase),
    alert_producer: serviceUrl('alert-producer', portBase),
    console: null,
    kafka_brokers: infra.kafkaBrokers,
    database_url: infra.databaseUrl,
    redis_url: infra.redisUrl,
    mail: infra.mail.webUrl,
  }
}
