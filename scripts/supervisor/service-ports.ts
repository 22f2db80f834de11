import { findPortOwner } from '../infra/port-owner.ts'
import { claimPort } from '../infra/ports.ts'
import { CliError } from '../report.ts'
import { serviceNames, servicePort } from './services.ts'

/**
 * Clients know the ports of the services, so another one would not help: a taken port is an error that says who has it,
 * for all of them at once, before anything is started. Disposing gives up the claims.
 */
export async function claimServicePorts(portBase: number): Promise<Disposable> {
  using claims = new DisposableStack()
  const problems: string[] = []
  for (const name of serviceNames) {
    const port = servicePort(name, portBase)
    const claim = await claimPort(port)
    if (claim) claims.use(claim)
    else problems.push(`port ${port} of ${name} is taken by ${describeOwner(port)}`)
  }
  if (problems.length === 0) return claims.move()
  throw new CliError(`${problems.join('\n')}\nEnd what holds them, or choose others with --port-base`)
}

function describeOwner(port: number): string {
  const owner = findPortOwner(port)
  if (owner) return `process ${owner.pid} (${owner.command})`
  return 'a process of another user, or another stack that is just starting'
}
