import { execFile, spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'

/** The last processor that this process may use, where Linux and taskset make it possible to stay on one. */
const core = findCore()

export const pinning = core === undefined ? 'not pinned to a core' : `pinned to core ${core}`

/**
 * Runs a program to its end on one core, all of its threads: garbage collectors and compilers that help from other cores
 * would flatter whoever has more of them. Gives what it wrote to stdout.
 */
export async function runOnOneCore(command: string, args: readonly string[], timeoutMs: number): Promise<string> {
  const [program, ...all] = core === undefined ? [command, ...args] : ['taskset', '-c', core, command, ...args]
  return new Promise((resolve, reject) => {
    const options = { timeout: timeoutMs, killSignal: 'SIGKILL', maxBuffer: 2 ** 26 } as const
    execFile(program!, all, options, (error, stdout, stderr) => {
      if (error === null) resolve(stdout)
      else if (error.killed) reject(new Error(`did not end within ${timeoutMs / 1_000} s`))
      else reject(new Error(firstComplaint(stderr) ?? error.message))
    })
  })
}

function firstComplaint(stderr: string): string | undefined {
  const lines = stderr.split('\n').filter(line => line.trim() !== '')
  return lines.find(line => /error|exception/i.test(line)) ?? lines[0]
}

function findCore(): string | undefined {
  if (!existsSync('/proc/self/status')) return undefined
  const allowed = /^Cpus_allowed_list:\s*(\S+)/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]
  const last = allowed?.split(/[,-]/).at(-1)
  return last !== undefined && spawnSync('taskset', ['-c', last, 'true']).status === 0 ? last : undefined
}
