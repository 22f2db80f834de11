import { type ParseArgsConfig, parseArgs } from 'node:util'
import { type Home, homeAt, toolsFolder } from '../home.ts'
import { CliError } from '../report.ts'

export type Options = NonNullable<ParseArgsConfig['options']>

/** One word after `./tocsin`. */
export interface Command {
  /** After `Usage: ./tocsin`, and everything below it. */
  readonly help: string
  readonly options: Options
  /** How many words may follow that are no options. */
  readonly maxPositionals: number
  /** Gives the exit code. */
  run(invocation: Invocation): Promise<number>
}

export interface Invocation {
  readonly values: Readonly<Record<string, unknown>>
  readonly positionals: readonly string[]
  readonly home: Home
  readonly env: NodeJS.ProcessEnv
}

export class UsageError extends CliError {
  constructor(message: string) {
    super(message, 2)
  }
}

/** Refuses what the command does not know, before anything is done. */
export function parseInvocation(command: Command, args: readonly string[], env: NodeJS.ProcessEnv): Invocation {
  const { values, positionals } = parseStrictly(command, args)
  const surplus = positionals[command.maxPositionals]
  if (surplus !== undefined) throw new UsageError(`What is ${surplus}?`)
  return { values, positionals, home: homeAt(env.TOCSIN_HOME || toolsFolder), env }
}

function parseStrictly(command: Command, args: readonly string[]) {
  try {
    return parseArgs({
      args: withNegativeNumbers(command, args),
      options: command.options,
      allowPositionals: true,
      strict: true,
    })
  } catch (error) {
    throw new UsageError(error instanceof Error ? (error.message.split(/\.\s/)[0] ?? '') : String(error))
  }
}

/** `--port-base -1` as `--port-base=-1`: that it is a wrong number says more than that it could be an option. */
function withNegativeNumbers({ options }: Command, args: readonly string[]): string[] {
  const joined: string[] = []
  for (const arg of args) {
    const before = joined.at(-1) ?? ''
    const takesValue = before.startsWith('--') && options[before.slice(2)]?.type === 'string'
    if (takesValue && /^-\d/.test(arg)) joined[joined.length - 1] = `${before}=${arg}`
    else joined.push(arg)
  }
  return joined
}

/** The value of an option that must be one of a few words. */
export function oneOf<Word extends string>(option: string, value: unknown, words: readonly Word[]): Word | undefined {
  if (value === undefined) return undefined
  const word = words.find(candidate => candidate === value)
  if (word === undefined) throw new UsageError(`--${option} must be one of ${words.join(', ')}`)
  return word
}

export function wholeNumber(
  option: string,
  value: unknown,
  { min, max }: { min: number; max: number },
): number | undefined {
  if (value === undefined) return undefined
  const number = Number(value)
  if (/^\d+$/.test(String(value)) && number >= min && number <= max) return number
  throw new UsageError(`--${option} must be a whole number from ${min} to ${max}`)
}
