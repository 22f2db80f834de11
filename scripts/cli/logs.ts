import { existsSync, readFileSync } from 'node:fs'
import { type Home, logFileOf } from '../home.ts'
import { partNames } from '../infra/infra-part.ts'
import { serviceNames } from '../supervisor/services.ts'
import { type Command, UsageError, wholeNumber } from './command.ts'
import { followLogs } from './follow-logs.ts'
import { createLogFormat, timeOf } from './log-line.ts'

const names: readonly string[] = [...serviceNames, ...partNames, 'supervisor']
const usualLines = 100

export const command: Command = {
  help: `logs [service] [--follow] [--lines N]

The last lines of the services' logs, readable. The files are .tocsin/logs/<service>.log, one JSON object a line.

  service     one of ${serviceNames.join(', ')},
              ${[...partNames, 'supervisor'].join(', ')}
  --follow    go on with what is logged from now on, until Ctrl-C
  --lines N   how many lines (${usualLines} when not given)
`,
  options: { follow: { type: 'boolean', short: 'f' }, lines: { type: 'string', short: 'n' } },
  maxPositionals: 1,

  async run({ values, positionals: [name], home }) {
    if (name !== undefined && !names.includes(name)) throw new UsageError(`There are no logs of ${name}`)
    const sources = name === undefined ? [...serviceNames, 'supervisor'] : [name]
    const count = wholeNumber('lines', values.lines, { min: 0, max: 1_000_000 }) ?? usualLines
    const format = createLogFormat({ colored: Boolean(process.stdout.isTTY) })
    for (const { source, line } of lastLines(home, sources, count)) process.stdout.write(`${format(source, line)}\n`)
    if (!values.follow) return 0
    const interrupted = new AbortController()
    process.once('SIGINT', () => interrupted.abort())
    await followLogs(home, { names: sources, signal: interrupted.signal })
    return 0
  },
}

interface SourceLine {
  readonly source: string
  readonly line: string
  readonly time: string
}

/** Of all sources together, in the order of their times. */
function lastLines(home: Home, sources: readonly string[], count: number): SourceLine[] {
  const lines = sources.flatMap(source => linesOf(home, source, count))
  // Stable, so lines of one time keep the order of their file.
  lines.sort((a, b) => (a.time < b.time ? -1 : a.time > b.time ? 1 : 0))
  return count === 0 ? [] : lines.slice(-count)
}

function linesOf(home: Home, source: string, count: number): SourceLine[] {
  const file = logFileOf(home, source)
  if (!existsSync(file)) return []
  const lines = readFileSync(file, 'utf8').split('\n').slice(0, -1).slice(-count)
  // A line without a time, such as one of a stack trace, stays behind the line that it follows.
  let time = ''
  return lines.map(line => {
    time = timeOf(line) ?? time
    return { source, line, time }
  })
}
