import type { Home } from '../home.ts'
import type { PartKinds } from '../infra/infra.ts'
import { partNames } from '../infra/infra-part.ts'
import { isRunning, type ProcessIdentity, residentBytes } from '../processes/process-identity.ts'
import { readAdminKey } from './prepare-stack.ts'
import { probeService } from './service-probe.ts'
import { type ServiceName, serviceNames, serviceUrl } from './services.ts'
import { readState, type StackState, type StackUrls } from './stack-state.ts'

export interface ProcessStatus {
  readonly pid: number | null
  readonly rss_bytes: number | null
}

export interface ServiceStatus extends ProcessStatus {
  readonly url: string | null
  readonly ready: boolean
}

/** What `status --json` prints; its names are for scripts and stay. */
export interface StackStatus {
  readonly ready: boolean
  readonly services: Readonly<Record<ServiceName, ServiceStatus>>
  readonly urls: { readonly [Name in keyof StackUrls]: StackUrls[Name] | null }
  readonly admin_key: string | null
}

/** For people beside it: why a service is not ready, and the servers. */
export interface StackDetails {
  readonly status: StackStatus
  /** `orphaned`: the supervisor was killed, and what it had started still runs. */
  readonly phase: StackState['phase'] | 'down' | 'orphaned'
  readonly reasons: ReadonlyMap<ServiceName, string>
  readonly infra: PartKinds | null
  readonly servers: ReadonlyMap<string, ProcessStatus>
}

const noUrls: StackStatus['urls'] = {
  rule_service: null,
  alert_producer: null,
  console: null,
  kafka_brokers: null,
  database_url: null,
  redis_url: null,
  mail: null,
}

/** Looks at the processes and asks the services themselves: what a state file says may be from before a crash. */
export async function inspectStack(home: Home): Promise<StackDetails> {
  const state = readState(home)
  const supervised = state !== undefined && isRunning(state.supervisor)
  const inspected = await Promise.all(serviceNames.map(async name => [name, await inspect(name, state)] as const))
  const services = Object.fromEntries(inspected.map(([name, { service }]) => [name, service]))
  const ready = supervised && inspected.every(([, { service }]) => service.ready)
  return {
    status: {
      ready,
      services: services as Record<ServiceName, ServiceStatus>,
      urls: (supervised && state.urls) || noUrls,
      admin_key: readAdminKey(home) ?? null,
    },
    phase: phaseOf(state, supervised),
    reasons: new Map(inspected.map(([name, { reason }]) => [name, reason])),
    infra: state?.infra ?? null,
    servers: new Map(partNames.map(part => [part, processStatus(state?.processes[part])])),
  }
}

function phaseOf(state: StackState | undefined, supervised: boolean): StackDetails['phase'] {
  if (state && supervised) return state.phase
  return Object.values(state?.processes ?? {}).some(isRunning) ? 'orphaned' : 'down'
}

async function inspect(name: ServiceName, state: StackState | undefined) {
  const running = processStatus(state?.processes[name])
  if (!state || running.pid === null) {
    return { service: { url: null, ready: false, ...running }, reason: 'down' }
  }
  const url = serviceUrl(name, state.port_base)
  const { ready, reason } = await probeService(url)
  return { service: { url, ready, ...running }, reason }
}

function processStatus(identity: ProcessIdentity | undefined): ProcessStatus {
  if (!identity || !isRunning(identity)) return { pid: null, rss_bytes: null }
  return { pid: identity.pid, rss_bytes: residentBytes(identity.pid) ?? null }
}
