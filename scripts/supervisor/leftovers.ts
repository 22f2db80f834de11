import type { Home } from '../home.ts'
import { removeContainers } from '../infra/containers.ts'
import { partNames } from '../infra/infra-part.ts'
import { becomesTrue } from '../infra/probes.ts'
import { killGroup } from '../processes/managed-process.ts'
import { isRunning, type ProcessIdentity, signalProcess } from '../processes/process-identity.ts'
import type { Report } from '../report.ts'
import { readState } from './stack-state.ts'

/** Enough for a service to finish what it holds and for Postgres to write its checkpoint. */
const graceMs = 23_000

/**
 * Ends what a supervisor that was killed has left running. Only for the holder of the stack's lock: it is the proof that
 * no supervisor lives to whom these processes belong.
 */
export async function endLeftovers(home: Home, env: NodeJS.ProcessEnv, report: Report): Promise<number> {
  const state = readState(home)
  if (!state) return 0
  const left = Object.entries(state.processes).filter(([, identity]) => isRunning(identity))
  if (left.length > 0) {
    report('leftovers', `ending what a killed supervisor left: ${left.map(([name]) => name).join(', ')}`)
    // Services first: with Kafka and Postgres still there, they end cleanly. Then the servers under them.
    const isServer = ([name]: [string, ProcessIdentity]) => partNames.some(part => part === name)
    await endAll(left.filter(entry => !isServer(entry)))
    await endAll(left.filter(isServer))
  }
  const containers = Object.values(state.infra ?? {}).includes('containers')
  return left.length + (containers ? await endContainers(home, env, report) : 0)
}

async function endContainers(home: Home, env: NodeJS.ProcessEnv, report: Report): Promise<number> {
  try {
    return await removeContainers(home, env)
  } catch (error) {
    report(
      'leftovers',
      `no engine to ask for containers that were left: ${error instanceof Error ? error.message : error}`,
    )
    return 0
  }
}

async function endAll(processes: readonly [string, ProcessIdentity][]): Promise<void> {
  for (const [name, identity] of processes) signalProcess(identity, name === 'postgres' ? 'SIGINT' : 'SIGTERM')
  const running = () => processes.filter(([, identity]) => isRunning(identity))
  if (await becomesTrue(() => running().length === 0, { withinMs: graceMs })) return
  for (const [, identity] of running()) killGroup(identity)
  await becomesTrue(() => running().length === 0, { withinMs: graceMs })
}
