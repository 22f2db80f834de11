import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { expect, it } from 'vitest'
import { identify, isRunning, parseStat, residentBytes, signalProcess } from './process-identity.ts'

it('a running process is known by pid and start', () => {
  const self = identify(process.pid)
  expect(self).toMatchObject({ pid: process.pid })
  expect(self && isRunning(self)).toBe(true)
  expect(residentBytes(process.pid)).toBeGreaterThan(1_000_000)
})

it('another process that got the pid is not the one we started, and gets no signal', () => {
  const stranger = { pid: process.pid, startedAt: 'long ago' }
  expect(isRunning(stranger)).toBe(false)
  expect(signalProcess(stranger, 'SIGKILL')).toBe(false)
})

it('a process that ended is not running', async () => {
  const child = spawn('sleep', ['60'])
  const identity = identify(child.pid ?? 0)
  if (!identity) throw new Error('not started')
  expect(signalProcess(identity, 'SIGKILL')).toBe(true)
  await once(child, 'exit')
  expect(isRunning(identity)).toBe(false)
  expect(signalProcess(identity, 'SIGKILL')).toBe(false)
})

it('reads state and start from /proc whatever the command is called', () => {
  const fields = Array.from({ length: 30 }, (_, index) => String(index + 4))
  expect(parseStat(`12 (a) Z (b) S ${fields.join(' ')}`)).toEqual({ state: 'S', startTicks: '22' })
})
