import { type SpawnOptions, spawn } from 'node:child_process'
import { once } from 'node:events'
import { resolve } from 'node:path'
import { text } from 'node:stream/consumers'
import { isPortFree } from '../scripts/infra/ports.ts'
import { serviceNames, servicePort } from '../scripts/supervisor/services.ts'

export const tocsin = resolve(import.meta.dirname, '../tocsin')

/** Where the servers of a stack that a test starts with `./tocsin up` come from. */
export const ownInfra = process.env.TOCSIN_TEST_INFRA === 'containers' ? 'containers' : 'embedded'

/** From here on there is a free port for each service. Each test file starts to look elsewhere, as two run at once. */
export async function freePortBase(from: number): Promise<number> {
  for (let base = from; ; base += 10) {
    const free = await Promise.all(serviceNames.map(name => isPortFree(servicePort(name, base))))
    if (free.every(Boolean)) return base
  }
}

/** The real ./tocsin, as a person at a shell has it, with a home of its own. */
export function commandIn(home: string) {
  const start = (command: string, args: readonly string[], options: SpawnOptions = {}) => {
    // URLs in the environment would be taken for given servers; this is about the stack's own.
    const { DATABASE_URL: _d, KAFKA_BROKERS: _k, REDIS_URL: _r, SMTP_URL: _s, ...env } = process.env
    return spawn(command, args, { ...options, env: { ...env, TOCSIN_HOME: home, ...options.env }, stdio: 'pipe' })
  }
  const run = async (args: readonly string[], options: SpawnOptions & { command?: string } = {}) => {
    const child = start(options.command ?? tocsin, args, options)
    const [stdout, stderr, [code]] = await Promise.all([text(child.stdout!), text(child.stderr!), once(child, 'exit')])
    return { code: code as number, stdout, stderr }
  }
  return { start, run }
}
