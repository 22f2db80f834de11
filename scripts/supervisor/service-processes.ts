import { lastLines } from '../infra/infra-part.ts'
import { becomesTrue } from '../infra/probes.ts'
import { ManagedProcess, type ProcessObserver } from '../processes/managed-process.ts'
import { CliError, type Report, seconds } from '../report.ts'
import { probeService, type Readiness } from './service-probe.ts'
import { type ServiceContext, type ServiceName, serviceNames, serviceSpec, serviceUrl, stopOrder } from './services.ts'

export type ServiceProcesses = ReadonlyMap<ServiceName, ManagedProcess>

/** Wrong settings: to start the same again would not help. */
const badSettingsExitCode = 2

/** The slowest seen on two busy cores took a tenth of it. */
const readyWithinMs = 90_000

export function startServices(context: ServiceContext, observe: ProcessObserver): ServiceProcesses {
  const services = new Map(serviceNames.map(name => [name, new ManagedProcess(serviceSpec(name, context), observe)]))
  for (const service of services.values()) service.start()
  return services
}

export async function stopServices(services: ServiceProcesses): Promise<void> {
  for (const name of stopOrder) await services.get(name)?.stop()
}

/** Returns when all are ready; throws, with what the service itself says, as soon as it is clear that one will not be. */
export async function untilReady(
  services: ServiceProcesses,
  { portBase, report, signal }: { portBase: number; report: Report; signal: AbortSignal },
): Promise<void> {
  const startedAt = Date.now()
  const failed = new AbortController()
  const anyEnd = AbortSignal.any([signal, failed.signal])
  const waitFor = async (name: ServiceName, service: ManagedProcess) => {
    let last: Readiness = { ready: false, reason: 'not started' }
    const ready = await becomesTrue(
      async () => {
        last = await probeService(serviceUrl(name, portBase))
        return last.ready
      },
      { withinMs: readyWithinMs, everyMs: 100, check: () => failWhenHopeless(service, anyEnd) },
    )
    if (!ready) throw notReady(service, `after ${readyWithinMs / 1_000} s: ${last.reason}`)
    report(name, `ready at ${serviceUrl(name, portBase)} (${seconds(startedAt)})`)
  }
  try {
    await Promise.all(Array.from(services, ([name, service]) => waitFor(name, service)))
  } catch (error) {
    failed.abort(error)
    throw error
  }
}

function failWhenHopeless(service: ManagedProcess, signal: AbortSignal): void {
  signal.throwIfAborted()
  if (service.lastDeath?.exitCode === badSettingsExitCode) throw notReady(service, 'its settings are wrong')
}

function notReady(service: ManagedProcess, reason: string): CliError {
  const { name, spec } = service
  return new CliError(
    `${name} is not ready: ${reason}\n${lastLines(spec.logFile, service.logStart)}\nIts log: ${spec.logFile}`,
  )
}
