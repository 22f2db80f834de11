import { spawn } from 'node:child_process'
import { CliError } from '../report.ts'

export interface CommandOptions {
  readonly user?: { readonly uid: number; readonly gid: number } | undefined
  readonly cwd?: string
  readonly env?: NodeJS.ProcessEnv
  readonly input?: string
  readonly signal?: AbortSignal
}

/** Runs a program to its end and gives its output. That it fails is an error with everything it said. */
export async function runCommand(
  command: string,
  args: readonly string[],
  { user, cwd, env, signal, input = '' }: CommandOptions = {},
): Promise<string> {
  const child = spawn(command, args, { ...user, cwd, env, signal, stdio: ['pipe', 'pipe', 'pipe'] })
  let output = ''
  child.stdout.on('data', chunk => {
    output += chunk
  })
  child.stderr.on('data', chunk => {
    output += chunk
  })
  // A program that ends without reading its input closes the pipe on us; its exit code says what there is to say.
  child.stdin.on('error', () => {})
  child.stdin.end(input)
  const code = await new Promise<number | string>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (exitCode, signal) => resolve(exitCode ?? signal ?? 'unknown'))
  })
  const full = /^.*No space left on device.*$/m.exec(output)?.[0]
  if (code !== 0 && full) {
    throw new CliError(
      `The disk is full (${full.trim()}). Make room on it, or set TOCSIN_HOME to a folder on another one`,
    )
  }
  if (code !== 0) throw new CliError(`${[command, ...args].join(' ')} failed (${code}):\n${output.trimEnd()}`)
  return output
}

/** In the plain C locale Java takes every letter of a file's name that is not ASCII for a question mark. */
export function javaEnvironment(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return { ...env, LC_ALL: 'C.UTF-8' }
}
