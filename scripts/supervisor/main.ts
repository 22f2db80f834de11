// The supervisor of `up --detach`: a process of its own that reports to its parent until the stack is up.
import { AppError } from '@tocsin/runtime/errors'
import { homeAt, storageProblem } from '../home.ts'
import { CliError } from '../report.ts'
import type { DetachedOptions, SupervisorMessage } from './messages.ts'
import { runStack } from './run-stack.ts'
import { StackIsTaken } from './supervisor.ts'

const { home, kind, portBase } = JSON.parse(process.argv[2] ?? '') as DetachedOptions

/** The parent may be gone: that a message is not delivered is no reason to end. */
function tell(message: SupervisorMessage): void {
  if (process.connected) process.send?.(message, () => {})
}

/** Of what we expect the message says it all; of a bug the stack does. */
function textOf(error: unknown): string {
  if (error instanceof CliError || error instanceof AppError) return error.message
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}

try {
  const report = (subject: string, text: string) => tell({ kind: 'report', subject, text })
  await runStack({ home: homeAt(home), env: process.env, kind, portBase, report }, ({ urls, adminKey }) =>
    tell({ kind: 'ready', urls, adminKey }),
  )
} catch (thrown) {
  const error = storageProblem(thrown, homeAt(home)) ?? thrown
  process.exitCode = error instanceof CliError ? error.exitCode : 1
  if (error instanceof StackIsTaken) tell({ kind: 'taken' })
  else {
    console.error(textOf(error)) // into the supervisor's log
    tell({ kind: 'failed', message: textOf(error), exitCode: process.exitCode })
  }
} finally {
  if (process.connected) process.disconnect()
}
