import { findPortOwner, isPortFree } from '../infra/ports.ts'
import { CliError } from '../report.ts'
import { serviceNames, servicePort } from './services.ts'

/**
 * Clients know the ports of the services, so another one would not help: a taken port is an error that says who has it,
 * for all of them at once, before anything is started.
 */
export async function checkServicePorts(portBase: number): Promise<void> {
  const problems: string[] = []
  for (const name of serviceNames) {
    const port = servicePort(name, portBase)
    if (await isPortFree(port)) continue
    const owner = findPortOwner(port)
    const by = owner ? `process ${owner.pid} (${owner.command})` : 'a process of another user'
    problems.push(`port ${port} of ${name} is taken by ${by}`)
  }
  if (problems.length === 0) return
  throw new CliError(`${problems.join('\n')}\nEnd what holds them, or choose others with --port-base`)
}
