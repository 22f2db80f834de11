import { createHome, type Home } from '../home.ts'
import { becomesTrue } from '../infra/probes.ts'
import { isRunning, signalProcess } from '../processes/process-identity.ts'
import { CliError, seconds } from '../report.ts'
import { endLeftovers } from '../supervisor/leftovers.ts'
import { acquireStackLock } from '../supervisor/stack-lock.ts'
import { readState, removeState } from '../supervisor/stack-state.ts'
import { killStack } from '../supervisor/supervisor.ts'
import { wipeHome } from '../supervisor/wipe.ts'
import type { Command } from './command.ts'
import { reportToTerminal } from './terminal.ts'

/** Six services of 10 s grace each, one after the other, and the servers: the longest that an orderly stop may take. */
const orderlyStopWithinMs = 120_000

export const command: Command = {
  help: `down [--wipe]

Stops the services, then the servers. Data stays in .tocsin/data for the next up.

  --wipe   delete data and logs too
`,
  options: { wipe: { type: 'boolean' } },
  maxPositionals: 0,

  async run({ values, home, env }) {
    const startedAt = Date.now()
    createHome(home)
    const stopped = await stopSupervisor(home)
    using lock = acquireStackLock(home)
    if (!lock) throw new CliError('Another command is at work on this stack: try again when it is through')
    const left = await endLeftovers(home, env, reportToTerminal)
    removeState(home)
    if (values.wipe) await wipeHome(home, env, reportToTerminal)
    const done = stopped || left > 0 ? `Tocsin is down (${seconds(startedAt)}).` : 'Nothing runs.'
    process.stdout.write(`${done}${values.wipe ? ' Data and logs are deleted.' : ''}\n`)
    return 0
  },
}

/** The supervisor knows the order; we ask it, and end it ourselves only if it does not manage. */
async function stopSupervisor(home: Home): Promise<boolean> {
  const supervisor = readState(home)?.supervisor
  if (!supervisor || !signalProcess(supervisor, 'SIGTERM')) return false
  reportToTerminal('tocsin', 'stopping the services, then the servers')
  if (await becomesTrue(() => !isRunning(supervisor), { withinMs: orderlyStopWithinMs })) return true
  reportToTerminal('tocsin', `supervisor ${supervisor.pid} does not end: killing what is left`)
  signalProcess(supervisor, 'SIGKILL')
  killStack(home)
  await becomesTrue(() => !isRunning(supervisor), { withinMs: 5_000 })
  return true
}
