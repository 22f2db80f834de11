import { styleText } from 'node:util'

export type LogFormat = (source: string, line: string) => string

const colors = ['cyan', 'magenta', 'yellow', 'green', 'blue', 'cyanBright', 'magentaBright', 'yellowBright'] as const
const alarming = new Set(['warn', 'error', 'fatal'])

/** What every line has, or what its prefix says already. */
const omitted = new Set(['level', 'time', 'service', 'pid', 'msg', 'err'])

const sourceWidth = 14

/** `evaluator      12:00:01.250 warn  message key=value`: one line of JSON for people; other lines as they are. */
export function createLogFormat({ colored }: { colored: boolean }): LogFormat {
  const colorOf = new Map<string, (typeof colors)[number]>()
  return (source, line) => {
    const color = colorOf.get(source) ?? colors[colorOf.size % colors.length] ?? 'cyan'
    colorOf.set(source, color)
    const prefix = source.padEnd(sourceWidth)
    const { text, level } = readable(line)
    const body = colored && alarming.has(level) ? styleText('red', text, { validateStream: false }) : text
    return `${colored ? styleText(color, prefix, { validateStream: false }) : prefix} ${body}`
  }
}

function readable(line: string): { text: string; level: string } {
  const fields = parse(line)
  if (!fields) return { text: line, level: '' }
  const { level, time, msg, err } = fields
  const others = Object.entries(fields)
    .filter(([name]) => !omitted.has(name))
    .map(([name, value]) => `${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`)
  const words = [String(time).slice(11, 23), String(level).padEnd(5), String(msg ?? ''), ...others]
  const stack = typeof err === 'object' && err !== null && 'stack' in err ? `\n${err.stack}` : ''
  return { text: words.join(' ').trimEnd() + stack, level: String(level) }
}

/** A line of our logger; undefined for what else ends up in a log: stack traces, the servers' own formats. */
function parse(line: string): Record<string, unknown> | undefined {
  if (!line.startsWith('{')) return undefined
  try {
    const fields = JSON.parse(line) as Record<string, unknown>
    return typeof fields.time === 'string' && typeof fields.level === 'string' ? fields : undefined
  } catch {
    return undefined
  }
}

/** For ordering lines of several logs; a line without a time belongs to the one before it. */
export function timeOf(line: string): string | undefined {
  const fields = parse(line)
  return fields && String(fields.time)
}
