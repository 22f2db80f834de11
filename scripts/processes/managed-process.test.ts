import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it, onTestFinished } from 'vitest'
import { ManagedProcess, type ProcessEvent, type ProcessSpec } from './managed-process.ts'
import { isRunning } from './process-identity.ts'

function manage(script: string, stopSteps: ProcessSpec['stopSteps'] = [{ signal: 'SIGTERM', graceMs: 5_000 }]) {
  const folder = mkdtempSync(join(tmpdir(), 'tocsin-process-'))
  const logFile = join(folder, 'log')
  const events: ProcessEvent[] = []
  const managed = new ManagedProcess(
    { name: 'subject', command: 'bash', args: ['-c', script], env: process.env, logFile, stopSteps },
    event => events.push(event),
  )
  onTestFinished(async () => {
    await managed.kill()
    rmSync(folder, { recursive: true })
  })
  return { managed, events, log: () => readFileSync(logFile, 'utf8') }
}

async function until(condition: () => boolean): Promise<void> {
  for (let waitedMs = 0; !condition(); waitedMs += 20) {
    if (waitedMs > 5_000) throw new Error('waited too long')
    await sleep(20)
  }
}

it('a process that dies by itself is started again after a second', async () => {
  const { managed, events } = manage('exit 3')
  managed.start()
  await until(() => events.filter(event => event.kind === 'died').length === 2)
  expect(managed.lastDeath).toEqual({ exitCode: 3, cause: 'exit code 3' })
  expect(events.filter(event => event.kind === 'died').map(event => event.restartInMs)).toEqual([1_000, 2_000])
})

it('a stopped process stays down, and its output is in its log', async () => {
  const { managed, events, log } = manage('echo up; trap "echo bye; exit" TERM; while :; do sleep 0.05; done')
  managed.start()
  await until(() => log() === 'up\n')
  const { identity } = managed
  await Promise.all([managed.stop(), managed.stop()])
  expect(identity && isRunning(identity)).toBe(false)
  expect(log()).toBe('up\nbye\n')
  expect(events.map(event => event.kind)).toEqual(['started', 'stopped'])
  managed.start()
  expect(managed.logStart).toBe('up\nbye\n'.length)
})

it('a process that ignores its stop signal is killed after its grace', async () => {
  const { managed, log } = manage('trap "" TERM; echo up; while :; do sleep 0.05; done', [
    { signal: 'SIGTERM', graceMs: 100 },
  ])
  managed.start()
  await until(() => log() === 'up\n')
  await managed.stop()
  expect(managed.identity).toBeUndefined()
})

it('a killed process can be started again', async () => {
  const { managed } = manage('sleep 60')
  managed.start()
  const first = managed.identity
  await managed.kill()
  expect(first && isRunning(first)).toBe(false)
  managed.start()
  expect(managed.identity?.pid).not.toBe(first?.pid)
})

it('a command that does not exist is a death with its reason', async () => {
  const { managed, events } = manage('')
  const broken = new ManagedProcess({ ...managed.spec, command: '/nowhere/at/all' }, event => events.push(event))
  broken.start()
  await until(() => events.length > 0)
  await broken.stop()
  expect(broken.lastDeath?.cause).toContain('ENOENT')
})
