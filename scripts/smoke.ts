// Boots every service under plain node, with nothing for it to reach, and stops it with SIGTERM. Shows what no vitest
// run can: that each file is runnable as it is, that a service waits for its dependencies and says so, and that it
// goes when asked.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { globSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'

const root = resolve(import.meta.dirname, '..')
const deadlineMs = 30_000

/** Ports that nothing listens on: 9 is "discard". */
const nowhere = {
  KAFKA_BROKERS: '127.0.0.1:9',
  DATABASE_URL: 'postgres://nobody@127.0.0.1:9/nothing',
  REDIS_URL: 'redis://127.0.0.1:9',
  SMTP_URL: 'smtp://127.0.0.1:9',
}

async function smoke(main: string): Promise<void> {
  const env = { PATH: process.env.PATH, HOST: '127.0.0.1', PORT: '0', LOG_LEVEL: 'info', ...nowhere }
  const child = spawn(process.execPath, [join(root, main)], { cwd: root, env, stdio: ['ignore', 'pipe', 'inherit'] })
  const exited = once(child, 'exit')
  const timer = setTimeout(() => child.kill('SIGKILL'), deadlineMs)
  try {
    const port = await portOf(child.stdout)
    const health = await fetch(`http://127.0.0.1:${port}/health`)
    if (health.status !== 200) throw new Error(`/health answered ${health.status}`)
    const ready = await fetch(`http://127.0.0.1:${port}/ready`)
    const { checks } = (await ready.json()) as { checks: Record<string, unknown> }
    if (ready.status !== 503) throw new Error(`/ready answered ${ready.status} with nothing there`)
    child.stdout.resume()
    child.kill('SIGTERM')
    const [code, signal] = await exited
    if (code !== 0) throw new Error(`SIGTERM ended it with ${code ?? signal} instead of 0`)
    console.log(`${main}: boots, waits for ${Object.keys(checks).join(', ')}, stops`)
  } finally {
    clearTimeout(timer)
    child.kill('SIGKILL')
  }
}

async function portOf(stdout: NodeJS.ReadableStream): Promise<number> {
  const lines = createInterface({ input: stdout })
  for await (const text of lines) {
    const line = JSON.parse(text) as { msg: string; port?: number }
    if (line.msg === 'listening' && line.port !== undefined) return line.port
  }
  throw new Error('ended without listening')
}

let failed = 0
for (const main of globSync('services/*/src/main.ts', { cwd: root }).sort()) {
  await smoke(main).catch(error => {
    failed++
    console.error(`${main}: ${error.message}`)
  })
}
process.exitCode = failed > 0 ? 1 : 0
