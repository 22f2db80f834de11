// `./tocsin` ends up here, once there is a Node to run it.
import { AppError } from '@tocsin/runtime/errors'
import { homeAt, storageProblem, toolsFolder } from '../home.ts'
import { CliError } from '../report.ts'
import { type Command, parseInvocation, UsageError } from './command.ts'

/** Loaded when asked for: `status` need not wait for what `up` imports. */
const commands: Readonly<Record<string, { summary: string; load: () => Promise<{ command: Command }> }>> = {
  up: { summary: 'start everything: servers, six services', load: () => import('./up.ts') },
  down: { summary: 'stop everything', load: () => import('./down.ts') },
  status: { summary: 'what runs, where, and whether it is ready', load: () => import('./status.ts') },
  logs: { summary: 'what the services and servers log', load: () => import('./logs.ts') },
  demo: { summary: 'one alert all the way: rule, alert, webhook, email', load: () => import('./demo.ts') },
  test: { summary: 'all tests that this machine can run', load: () => import('./test.ts') },
  bench: { summary: 'measure the running stack', load: () => import('./bench.ts') },
  snapshot: { summary: 'which rules the evaluators match with; rebuild it', load: () => import('./snapshot.ts') },
  'dead-letters': {
    summary: 'what no service could handle; replay it, discard it',
    load: () => import('./dead-letters.ts'),
  },
}

const help = `Usage: ./tocsin <command> [options]

${Object.entries(commands)
  .map(([name, { summary }]) => `  ${name.padEnd(12)} ${summary}`)
  .join('\n')}
  help         this page, or that of a command: ./tocsin help up

TOCSIN_HOME is the folder of data, logs and state (.tocsin in this clone when not set);
with another one, a second stack runs beside the first.
`

async function main([name = 'help', ...args]: readonly string[]): Promise<number> {
  const wantsHelp = name === 'help' || name === '--help' || name === '-h'
  if (wantsHelp && args[0] === undefined) return show(help)
  const subject = wantsHelp ? (args[0] ?? '') : name
  const entry = Object.hasOwn(commands, subject) ? commands[subject] : undefined
  if (!entry) return refuse(`There is no command ${subject}`, help)
  const { command } = await entry.load()
  const commandHelp = `Usage: ./tocsin ${command.help}`
  if (wantsHelp || args.includes('--help') || args.includes('-h')) return show(commandHelp)
  try {
    return await command.run(parseInvocation(command, args, process.env))
  } catch (error) {
    if (error instanceof UsageError) return refuse(error.message, commandHelp)
    throw error
  }
}

function show(text: string): number {
  process.stdout.write(text)
  return 0
}

function refuse(reason: string, usage: string): number {
  process.stderr.write(`${reason}\n\n${usage}`)
  return 2
}

// `./tocsin logs | head` takes what it wants and goes: no reason for a stack trace.
process.stdout.on('error', () => {})

try {
  process.exitCode = await main(process.argv.slice(2))
} catch (thrown) {
  const error = storageProblem(thrown, homeAt(process.env.TOCSIN_HOME || toolsFolder)) ?? thrown
  const expected = error instanceof CliError || error instanceof AppError
  console.error(expected ? error.message : error)
  process.exitCode = error instanceof CliError ? error.exitCode : 1
}
