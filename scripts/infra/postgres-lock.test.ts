import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it, onTestFinished } from 'vitest'
import { identify } from '../processes/process-identity.ts'
import { releaseStaleLock } from './postgres-lock.ts'

function dataFolder(): string {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'tocsin-postgres-lock-')))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  return folder
}

/** The first line after `releaseStaleLock`, of a file that named this process. */
function nameAfter(data: string, pid: number): number {
  const file = join(data, 'postmaster.pid')
  const others = `${data}\n1700000000\n5432\n\n127.0.0.1\n   123456       7\nready   \n`
  writeFileSync(file, `${pid}\n${others}`)
  releaseStaleLock(data)
  const [first, ...rest] = readFileSync(file, 'utf8').split('\n')
  expect(rest.join('\n')).toBe(others)
  return Number(first)
}

function start(script: string, cwd: string) {
  const child = spawn('bash', ['-c', script], { cwd, stdio: ['ignore', 'pipe', 'ignore'] })
  onTestFinished(() => void child.kill('SIGKILL'))
  return child
}

it('a zombie does not keep a Postgres from starting', async () => {
  const data = dataFolder()
  // `sleep` takes the shell's place and knows nothing of the child that the shell had, which must not end before that.
  const parent = start('sleep 0.3 & echo $!; exec sleep 60', data)
  const zombie = Number(String((await once(parent.stdout!, 'data'))[0]))
  for (let look = 0; identify(zombie) && look < 100; look++) await sleep(20)
  expect(process.kill(zombie, 0)).toBe(true)
  expect(nameAfter(data, zombie)).toBe(process.pid)
})

it.runIf(process.platform === 'linux')('nor does another process that was given its pid', () => {
  const stranger = start('sleep 60', tmpdir())
  expect(nameAfter(dataFolder(), stranger.pid!)).toBe(process.pid)
})

it('a process that works in the data folder keeps its lock', async () => {
  const data = dataFolder()
  const postgres = start('echo up; exec sleep 60', data)
  await once(postgres.stdout!, 'data')
  expect(nameAfter(data, postgres.pid!)).toBe(postgres.pid)
})
