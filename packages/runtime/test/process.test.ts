import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { expect, onTestFinished, test } from 'vitest'

interface Line {
  msg: string
  port?: number
}

function start(env: Record<string, string> = {}): ChildProcess {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'fixtures/service.ts')], {
    env: { ...process.env, PORT: '0', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  return child
}

async function untilLogged(child: ChildProcess, msg: string): Promise<Line> {
  for await (const text of createInterface({ input: child.stdout! })) {
    const line = JSON.parse(text) as Line
    if (line.msg === msg) return line
  }
  throw new Error(`ended without "${msg}"`)
}

async function exitOf(child: ChildProcess): Promise<number | null> {
  if (child.exitCode !== null) return child.exitCode
  const [code] = await once(child, 'exit')
  return code
}

test('answers health, ready, metrics and status, and stops with 0 on SIGTERM', async () => {
  const child = start()
  const { port } = await untilLogged(child, 'listening')
  const get = (path: string) => fetch(`http://127.0.0.1:${port}${path}`)
  expect(await (await get('/health')).json()).toEqual({ status: 'alive', service: 'fixture' })
  expect((await get('/ready')).status).toBe(200)
  expect(await (await get('/metrics')).text()).toContain('process_resident_memory_bytes')
  expect(await (await get('/status')).json()).toMatchObject({ service: 'fixture', pid: child.pid })
  expect((await get('/nothing')).status).toBe(404)
  child.kill('SIGTERM')
  expect(await exitOf(child)).toBe(0)
})

test.each([
  ['says nothing', ''],
  ['never ends the head of its request', 'GET /health HTTP/1.1\r\nHost: x\r\n'],
])('a connection that %s does not hold up a stop', async (_, said) => {
  const child = start({ STOP_GRACE_MS: '60000' })
  const { port } = await untilLogged(child, 'listening')
  const socket = connect(port!, '127.0.0.1', () => socket.write(said))
  socket.on('error', () => {})
  await once(socket, 'connect')
  await fetch(`http://127.0.0.1:${port}/health`)
  child.kill('SIGTERM')
  expect(await exitOf(child)).toBe(0)
})

test('a request that is never answered is cut off in time for a clean stop', async () => {
  const child = start({ STOP_GRACE_MS: '2000', UNANSWERED: 'true' })
  const { port } = await untilLogged(child, 'listening')
  fetch(`http://127.0.0.1:${port}/status`).catch(() => {})
  await untilLogged(child, 'will not answer')
  child.kill('SIGTERM')
  expect(await exitOf(child)).toBe(0)
})

test('a stop that hangs is cut at the deadline, with 1', async () => {
  const child = start({ HANG: 'true', STOP_GRACE_MS: '100' })
  await untilLogged(child, 'started')
  child.kill('SIGTERM')
  expect(await exitOf(child)).toBe(1)
})

test('a second signal ends a stop that hangs at once, with 130', async () => {
  const child = start({ HANG: 'true' })
  await untilLogged(child, 'started')
  child.kill('SIGINT')
  await untilLogged(child, 'stop requested')
  child.kill('SIGINT')
  expect(await exitOf(child)).toBe(130)
})

test('wrong settings: all of them on stderr, and 2', async () => {
  const child = start({ LOG_LEVEL: 'loud', HANG: 'perhaps' })
  const stderr: Buffer[] = []
  child.stderr!.on('data', chunk => stderr.push(chunk))
  expect(await exitOf(child)).toBe(2)
  expect(Buffer.concat(stderr).toString()).toMatch(/LOG_LEVEL: .*\n.*HANG: /s)
})

test('a port that is taken is a failed start, with 1', async () => {
  const first = start()
  const { port } = await untilLogged(first, 'listening')
  const second = start({ PORT: String(port) })
  expect(await exitOf(second)).toBe(1)
})
