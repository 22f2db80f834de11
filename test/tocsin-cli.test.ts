import { once } from 'node:events'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { eventually } from '@tocsin/testkit/eventually'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { homeAt } from '../scripts/home.ts'
import { findContainers, findVolumes } from '../scripts/infra/containers.ts'
import { isRunning, type ProcessIdentity } from '../scripts/processes/process-identity.ts'
import { commandIn, freePortBase, ownInfra as infra, tocsin } from './tocsin-command.ts'

// With homes and ports of its own. The tests are one story, in order.
// All that a shell, a class path, a list or a properties file would take for something else.
const home = join(mkdtempSync(join(tmpdir(), 'tocsin-cli-')), 'Ünïçödé 日本, $HOME \\x:y')
const otherHome = mkdtempSync(join(tmpdir(), 'tocsin-cli-'))
const services = ['rule-service', 'alert-producer', 'evaluator', 'aggregator', 'sender', 'rule-updater']
const { start, run } = commandIn(home)
let portBase = 0

interface Status {
  ready: boolean
  services: Record<string, { url: string | null; ready: boolean; pid: number | null; rss_bytes: number | null }>
  urls: Record<string, string | null>
  admin_key: string | null
}

beforeAll(async () => {
  portBase = await freePortBase(21_000)
})

afterAll(async () => {
  await run(['down', '--wipe'])
  for (const folder of [dirname(home), otherHome]) rmSync(folder, { recursive: true, force: true })
})

const upArguments = () => ['up', '--infra', infra, '--port-base', String(portBase)]

async function status(): Promise<Status> {
  return JSON.parse((await run(['status', '--json'])).stdout)
}

/** Every process of the stack, the supervisor's included. */
function processes(): Record<string, ProcessIdentity> {
  const state = JSON.parse(readFileSync(join(home, 'run/state.json'), 'utf8'))
  return { ...state.processes, supervisor: state.supervisor }
}

const stillRunning = (known: Record<string, ProcessIdentity>) =>
  Object.keys(known).filter(name => isRunning(known[name]!))

/** What an engine holds of the stack; nothing where none is asked. */
async function inEngine(): Promise<{ containers: number; volumes: number }> {
  if (infra !== 'containers') return { containers: 0, volumes: 0 }
  const [containers, volumes] = [findContainers, findVolumes].map(find => find(homeAt(home), process.env))
  return { containers: (await containers)!.length, volumes: (await volumes)!.length }
}

async function teams(adminKey: string | null): Promise<{ status: number; ids: string[] }> {
  const response = await fetch(`http://127.0.0.1:${portBase}/api/v1/teams`, {
    headers: adminKey === null ? {} : { authorization: `Bearer ${adminKey}` },
  })
  const { items = [] } = (await response.json()) as { items?: { team_id: string }[] }
  return { status: response.status, ids: items.map(team => team.team_id) }
}

it.each([
  [['fly']],
  [['up', '--sideways']],
  [['status', 'now']],
  [['up', '--port-base', 'high']],
  [['up', '--port-base', '-1']],
  [['up', '--port-base', '--detach']],
  [['logs', 'nobody']],
])('refuses %j with the usage and exit code 2', async args => {
  const { code, stdout, stderr } = await run(args)
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
  expect(stderr).toMatch(/^[^\n]+\n\nUsage: \.\/tocsin/)
})

it('up tells all wrong settings at once, before anything is started', async () => {
  const env = {
    DATABASE_URL: 'nonsense',
    KAFKA_BROKERS: 'a:1,c:99999',
    KAFKA_SASL_USERNAME: 'without a mechanism',
    REDIS_URL: 'redis://127.0.0.1:1',
    REDIS_TLS_CA: '/nowhere.pem',
    LOG_LEVEL: 'loud',
    PORT: 'of no service: up gives each its own',
  }
  const { code, stdout, stderr } = await run(['up', '--detach', '--port-base', String(portBase)], { env })
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
  const [title, ...settings] = stderr.trimEnd().split('\n')
  expect(title).toBe('These settings are wrong:')
  expect(settings.map(line => /^ {2}(\w+): /.exec(line)?.[1]).toSorted()).toEqual([
    'DATABASE_URL',
    'KAFKA_BROKERS',
    'KAFKA_SASL_MECHANISM',
    'LOG_LEVEL',
    'REDIS_TLS_CA',
  ])
  expect(existsSync(home)).toBe(false)
})

it.each(['up', 'down'])('%s says in a sentence that its home cannot be there', async command => {
  const { code, stdout, stderr } = await run([command], { env: { TOCSIN_HOME: join(tocsin, 'below a file') } })
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
  expect(stderr).toMatch(
    /^\S*tocsin.below a file cannot be written: it is a file, or lies below one .*TOCSIN_HOME.*\n$/,
  )
})

it('is found through links from elsewhere, and leaves nothing beside them', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'tocsin-cli-'))
  symlinkSync(tocsin, join(folder, 'first'))
  symlinkSync('first', join(folder, 'second'))
  const { code, stdout } = await run(['help'], { command: join(folder, 'second') })
  expect({ code, stdout }).toMatchObject({ code: 0, stdout: expect.stringContaining('Usage: ./tocsin') })
  expect(readdirSync(folder).toSorted()).toEqual(['first', 'second'])
  rmSync(folder, { recursive: true })
})

it('status --json is JSON and nothing else, with every name in it, also while nothing runs', async () => {
  const { code, stdout, stderr } = await run(['status', '--json'])
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  const down = { url: null, ready: false, pid: null, rss_bytes: null }
  expect(JSON.parse(stdout)).toMatchObject({
    ready: false,
    services: Object.fromEntries(services.map(name => [name, down])),
    urls: { rule_service: null, alert_producer: null, console: null, kafka_brokers: null, database_url: null },
  })
  expect((await run(['status'])).code).toBe(1)
  expect(await run(['down'])).toMatchObject({ code: 0, stdout: 'Nothing runs.\n' })
})

it('up stays in the foreground; an interrupt stops everything and leaves no process', async () => {
  const foreground = start(tocsin, upArguments())
  const exited = once(foreground, 'exit')
  let shown = ''
  foreground.stdout!.on('data', chunk => {
    shown += chunk
  })
  await eventually(() => expect(shown).toContain('Tocsin is up'), { withinMs: 60_000 })
  expect(shown).toContain(`curl -H 'Authorization: Bearer tocsin_`)
  const known = processes()
  foreground.kill('SIGINT')
  expect(await exited).toEqual([0, null])
  expect(stillRunning(known)).toEqual([])
  expect(await inEngine()).toMatchObject({ containers: 0 })
})

it('up --detach returns when all is ready and keeps no hold on its output', async () => {
  const pipeline = `'${tocsin}' ${upArguments().join(' ')} --detach | cat`
  const { code, stdout } = await run(['-c', pipeline], { command: 'bash' })
  expect(code).toBe(0)
  expect(stdout).toContain(`http://127.0.0.1:${portBase}`)
  const { ready, services: found, admin_key } = await status()
  expect(ready).toBe(true)
  expect(Object.keys(found)).toEqual(services)
  expect(new Set(Object.values(found).map(service => service.pid)).size).toBe(6)
  for (const service of Object.values(found)) expect(service.rss_bytes).toBeGreaterThan(10_000_000)
  expect((await teams(admin_key)).status).toBe(200)
  expect((await teams(null)).status).toBe(401)
})

it('a second up says where everything is, and succeeds', async () => {
  const { code, stdout } = await run([...upArguments(), '--detach'])
  expect(code).toBe(0)
  expect(stdout).toContain('up already')
  expect(stdout).toContain(`http://127.0.0.1:${portBase}`)
})

it('an up with other ports says that they were not used, and fails', async () => {
  const { code, stdout, stderr } = await run(['up', '--detach', '--port-base', String(portBase + 10)])
  expect(code).toBe(1)
  expect(stdout).toContain(`http://127.0.0.1:${portBase}`)
  expect(stderr).toContain(`--port-base ${portBase + 10} was not used`)
})

it('a service port that is taken is an error that names it and its owner, before anything is started', async () => {
  const { services: found } = await status()
  const { code, stderr } = await run([...upArguments(), '--detach'], { env: { TOCSIN_HOME: otherHome } })
  expect(code).toBe(1)
  expect(stderr).toContain(`port ${portBase} of rule-service is taken by process ${found['rule-service']!.pid}`)
  expect(existsSync(join(otherHome, 'data/postgres'))).toBe(false)
})

it('a service that is killed is started again', async () => {
  const { pid } = (await status()).services.evaluator!
  process.kill(pid!, 'SIGKILL')
  await eventually(
    async () => {
      const now = await status()
      expect(now.services.evaluator!.pid).not.toBe(pid)
      expect(now.ready).toBe(true)
    },
    { withinMs: 60_000 },
  )
  expect((await run(['logs', 'supervisor'])).stdout).toContain('evaluator: died (SIGKILL)')
})

it('after kill -9 of the supervisor the next up ends what is left, and has the data', async () => {
  const { admin_key } = await status()
  const created = await fetch(`http://127.0.0.1:${portBase}/api/v1/teams`, {
    method: 'POST',
    headers: { authorization: `Bearer ${admin_key}`, 'content-type': 'application/json' },
    body: JSON.stringify({ team_id: 'survivor', name: 'Survivor' }),
  })
  expect(created.status).toBe(201)
  const known = processes()
  process.kill(known.supervisor!.pid, 'SIGKILL')
  await eventually(() => expect(isRunning(known.supervisor!)).toBe(false))
  expect((await status()).ready).toBe(false)

  expect((await run([...upArguments(), '--detach'])).code).toBe(0)
  expect(stillRunning(known)).toEqual([])
  expect((await run(['status'])).stdout).toContain('Tocsin is ready') // else it says what is not
  expect(await status()).toMatchObject({ ready: true, admin_key })
  expect((await teams(admin_key)).ids).toEqual(['survivor'])
})

it('down leaves no process, keeps the data, and deletes it when told to', async () => {
  const known = processes()
  expect((await run(['down'])).code).toBe(0)
  expect(stillRunning(known)).toEqual([])
  expect(await inEngine()).toEqual({ containers: 0, volumes: infra === 'containers' ? 3 : 0 })
  expect(existsSync(join(home, 'data/admin-key'))).toBe(true)
  expect((await run(['down', '--wipe'])).code).toBe(0)
  expect(existsSync(join(home, 'data'))).toBe(false)
  expect(await inEngine()).toEqual({ containers: 0, volumes: 0 })
})
