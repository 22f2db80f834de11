import { spawn } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { cloneFolder, createHome, type Home, logFileOf } from '../home.ts'
import { isRunning } from '../processes/process-identity.ts'
import { CliError, seconds } from '../report.ts'
import { checkSettings } from '../supervisor/check-settings.ts'
import type { DetachedOptions, SupervisorMessage } from '../supervisor/messages.ts'
import { runStack } from '../supervisor/run-stack.ts'
import { usualPortBase } from '../supervisor/services.ts'
import { readState, type StackState } from '../supervisor/stack-state.ts'
import { inspectStack } from '../supervisor/stack-status.ts'
import { StackIsTaken } from '../supervisor/supervisor.ts'
import { type Command, oneOf, wholeNumber } from './command.ts'
import { followLogs } from './follow-logs.ts'
import { printSummary, reportToTerminal } from './terminal.ts'

const portBases = { min: 1024, max: 65_530 }

export const command: Command = {
  help: `up [--detach] [--infra given|containers|embedded] [--port-base N]

Starts Postgres, Kafka, Redis and a mail catcher, migrates, creates topics, and starts the six services.
Stays in the foreground with their logs until Ctrl-C, which stops everything in order; a second one kills.

  --detach       return when everything is ready; ./tocsin down stops it
  --infra KIND   where the servers come from. Without it, each is the first that applies of:
                 given       by DATABASE_URL, KAFKA_BROKERS, REDIS_URL, SMTP_URL in the environment
                 containers  in a Docker-compatible engine
                 embedded    real servers as processes of this machine
  --port-base N  the services' ports are N to N+5 (${usualPortBase} when not given)

Data is kept in .tocsin/data until ./tocsin down --wipe.
`,
  options: { detach: { type: 'boolean' }, infra: { type: 'string' }, 'port-base': { type: 'string' } },
  maxPositionals: 0,

  async run({ values, home, env }) {
    const kind = oneOf('infra', values.infra, ['given', 'containers', 'embedded'])
    const wantedBase = wholeNumber('port-base', values['port-base'], portBases)
    const portBase = wantedBase ?? usualPortBase
    checkSettings(env, kind)
    const start = values.detach ? startDetached : stayInForeground
    for (;;) {
      try {
        await start({ home, env, kind, portBase })
        return 0
      } catch (error) {
        if (!(error instanceof StackIsTaken)) throw error
        const other = await joinOther(home)
        if (other) return refersTo(other, wantedBase)
      }
    }
  },
}

interface StartOptions extends Omit<DetachedOptions, 'home'> {
  readonly home: Home
  readonly env: NodeJS.ProcessEnv
}

async function stayInForeground(options: StartOptions): Promise<void> {
  const startedAt = Date.now()
  const ended = new AbortController()
  try {
    await runStack({ ...options, report: reportToTerminal }, ({ urls, adminKey }) => {
      printSummary(`Tocsin is up (${seconds(startedAt)}). Ctrl-C stops it.`, urls, adminKey)
      void followLogs(options.home, { signal: ended.signal })
    })
  } finally {
    ended.abort()
  }
}

async function startDetached({ home, env, kind, portBase }: StartOptions): Promise<void> {
  const startedAt = Date.now()
  createHome(home)
  const log = openSync(logFileOf(home, 'supervisor'), 'a')
  const options: DetachedOptions = { home: home.root, kind, portBase }
  const main = join(cloneFolder, 'scripts/supervisor/main.ts')
  // Nothing of the caller's is inherited: `./tocsin up --detach | cat` must see its end.
  const supervisor = spawn(process.execPath, [main, JSON.stringify(options)], {
    env,
    detached: true,
    stdio: ['ignore', log, log, 'ipc'],
  })
  closeSync(log)
  const stop = () => supervisor.kill('SIGTERM')
  process.on('SIGINT', stop).on('SIGTERM', stop)
  try {
    const { urls, adminKey } = await new Promise<Extract<SupervisorMessage, { kind: 'ready' }>>((resolve, reject) => {
      supervisor.on('message', (message: SupervisorMessage) => {
        if (message.kind === 'report') reportToTerminal(message.subject, message.text)
        else if (message.kind === 'ready') resolve(message)
        else if (message.kind === 'taken') reject(new StackIsTaken())
        else reject(new CliError(message.message, message.exitCode))
      })
      supervisor.once('exit', code =>
        reject(new CliError(`the supervisor ended (${code}): see ${logFileOf(home, 'supervisor')}`)),
      )
    })
    printSummary(`Tocsin is up (${seconds(startedAt)}). ./tocsin down stops it.`, urls, adminKey)
  } finally {
    process.off('SIGINT', stop).off('SIGTERM', stop)
    if (supervisor.connected) supervisor.disconnect()
    supervisor.unref()
  }
}

const otherIsUpWithinMs = 120_000

/** The exit code: who named ports would look for the services there. */
function refersTo({ port_base }: StackState, wantedBase: number | undefined): number {
  if (wantedBase === undefined || wantedBase === port_base) return 0
  process.stderr.write(
    `It is on ports from ${port_base}: --port-base ${wantedBase} was not used. ./tocsin down first, then up moves it.\n`,
  )
  return 1
}

/** Somebody else has this home. Its state when it is up in the end; undefined when it is gone and the home ours to start. */
async function joinOther(home: Home): Promise<StackState | undefined> {
  let told = false
  for (const deadline = Date.now() + otherIsUpWithinMs; Date.now() < deadline; await sleep(250)) {
    const state = readState(home)
    if (!state || !isRunning(state.supervisor)) {
      await sleep(250) // it has the lock and no state yet, or it is just going
      return undefined
    }
    if (state.phase === 'ready') {
      const { status } = await inspectStack(home)
      if (status.ready && state.urls) {
        printSummary('Tocsin is up already. ./tocsin down stops it.', state.urls, status.admin_key ?? '')
        return state
      }
    }
    if (!told) reportToTerminal('tocsin', `waiting for supervisor ${state.supervisor.pid}, which is ${state.phase}`)
    told = true
  }
  throw new CliError('Another supervisor has this stack, but it is not ready: see ./tocsin status')
}
