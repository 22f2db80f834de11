import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { SnapshotResource } from '@tocsin/contracts/http'
import { closeRedis, connectRedis, pingRedis, type Redis } from '@tocsin/redis/connection'
import { heartbeat, removeEvaluator } from '@tocsin/redis/evaluator-registry'
import { readChunks, readManifest } from '@tocsin/redis/snapshot-store'
import { createLogger } from '@tocsin/runtime/logger'
import { callApi } from '@tocsin/testkit/call-api'
import { eventually } from '@tocsin/testkit/eventually'
import { afterAll, afterEach, beforeAll, expect, it, onTestFinished } from 'vitest'
import { createTeam } from './team.ts'
import { commandIn, freePortBase, ownInfra } from './tocsin-command.ts'

const home = mkdtempSync(join(tmpdir(), 'tocsin-snapshot-'))
const { run } = commandIn(home)
/** As no setting of the stack says otherwise. */
const prefix = 'tocsin:'
let call: ReturnType<typeof callApi>
let ruleService: string
let redis: Redis

beforeAll(async () => {
  const portBase = await freePortBase(23_000)
  const { code, stderr } = await run(['up', '--detach', '--infra', ownInfra, '--port-base', String(portBase)])
  expect(code, stderr).toBe(0)
  const { urls, admin_key } = JSON.parse((await run(['status', '--json'])).stdout)
  ruleService = urls.rule_service
  call = callApi({ ruleService, alertProducer: urls.alert_producer, key: admin_key })
  redis = connectRedis({ REDIS_URL: urls.redis_url, REDIS_KEY_PREFIX: prefix }, createLogger('test', 'silent'))
  await pingRedis(redis)
  const team = await createTeam({ call }, 'http://127.0.0.1:1')
  await team.addRule()
})
afterEach(() => {
  for (const name of ['supervisor', 'rule-updater']) signal(name, 'SIGCONT')
})
afterAll(async () => {
  if (redis !== undefined) await closeRedis(redis)
  await run(['down', '--wipe'])
  rmSync(home, { recursive: true, force: true })
})

/** While it is stopped, rule-updater repairs nothing and is not ready, and the supervisor starts nothing again. */
function signal(name: string, what: 'SIGSTOP' | 'SIGCONT' | 'SIGKILL'): void {
  const { processes, supervisor } = JSON.parse(readFileSync(join(home, 'run/state.json'), 'utf8'))
  process.kill({ ...processes, supervisor }[name].pid, what)
}

const snapshot = async (): Promise<SnapshotResource> => (await call('GET', '/api/v1/snapshot')).body

/** How often rule-service has answered that it cannot show the snapshot. */
async function refusals(): Promise<number> {
  const metrics = await (await fetch(`${ruleService}/metrics`)).text()
  const line = metrics
    .split('\n')
    .find(text => /^\S*request_seconds_count\S*api\/v1\/snapshot",status="503"/.test(text))
  return Number(line?.split(' ')[1] ?? 0)
}

/** What Redis holds is what rebuild has shown, or newer, with each of its chunks there and as it was written. */
async function expectWhole({ version, rules }: SnapshotResource): Promise<void> {
  const manifest = (await readManifest(redis, prefix))!
  expect(manifest.version).toBeGreaterThanOrEqual(version!)
  expect({ shown: rules, held: manifest.rules }).toEqual({ shown: 1, held: 1 })
  const hashes = manifest.chunks.map(chunk => chunk.hash).filter(hash => hash !== '')
  expect((await readChunks(redis, prefix, hashes)).size).toBe(hashes.length)
}

const damage = () => redis.hset(`${prefix}snapshot:current`, 'manifest', '{')

it('shows what the evaluators match with', async () => {
  const before = await snapshot()
  const { code, stdout, stderr } = await run(['snapshot'])
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  const { version, built_at, leader, bytes, evaluators } = await snapshot()
  expect(version).toBe(before.version)
  const lines = stdout.trimEnd().split('\n')
  expect(lines.map(line => line.replace(/ {2,}/g, '  '))).toEqual([
    expect.stringMatching(`^version  ${version}, built ${built_at}, \\d+ s ago$`),
    `rules  1 in 2 chunks of together ${bytes} bytes`,
    'waiting  0 changes',
    `leader  ${leader!.leader_id} since ${leader!.since}`,
    expect.stringMatching(/^compared {2}(not yet|\S+Z, \d+ rules differed)$/),
    'evaluators  1/1 match with it',
    `  ${evaluators[0]!.evaluator_id}  ${version}`,
  ])
})

it('shows how far an evaluator is behind', async () => {
  const { version } = await snapshot()
  const late = { evaluator_id: 'late', snapshot_version: version! - 1, since: new Date().toISOString() }
  const beats = setInterval(() => heartbeat(redis, prefix, late), 500)
  onTestFinished(() => clearInterval(beats))
  await heartbeat(redis, prefix, late)
  const { code, stdout } = await run(['snapshot'])
  clearInterval(beats)
  await removeEvaluator(redis, prefix, 'late')
  expect(code).toBe(0)
  expect(stdout).toContain('evaluators  1/2 match with it\n')
  expect(stdout).toMatch(new RegExp(`^ +late {2}${version! - 1}, 1 versions behind for \\d+\\.\\d s$`, 'm'))
})

it('--json prints what the API answers and nothing else', async () => {
  const { version, hash, evaluators } = await snapshot()
  const { code, stdout, stderr } = await run(['snapshot', '--json'])
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  expect(JSON.parse(stdout)).toMatchObject({ version, hash, evaluators, evaluators_current: '1/1' })
})

it('rebuild ends when everything is written anew, under a higher version', async () => {
  const before = await snapshot()
  const { code, stdout, stderr } = await run(['snapshot', 'rebuild'])
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  expect(stdout).toMatch(/^Rebuilt in \d+\.\d s\n\nversion /)
  const after = await snapshot()
  expect(after.version).toBeGreaterThan(before.version!)
  expect(after.rebuilds).toEqual({ wanted: before.rebuilds.wanted + 1, done: before.rebuilds.wanted + 1 })
})

it('rebuild --json prints the snapshot that came of it and nothing else', async () => {
  const { code, stdout } = await run(['snapshot', 'rebuild', '--json'])
  expect(code).toBe(0)
  const { rebuilds } = JSON.parse(stdout)
  expect(rebuilds.done).toBe(rebuilds.wanted)
})

it('after Redis was flushed, says so while other services are not ready, and rebuild brings everything back', async () => {
  const { version, rebuilds } = await snapshot()
  signal('rule-updater', 'SIGSTOP')
  await redis.flushall()
  const { code, stdout } = await run(['snapshot'])
  expect(code).toBe(0)
  expect(stdout).toMatch(/^version +none: Redis has no snapshot\nwaiting +0 changes\n/)
  const rebuilding = run(['snapshot', 'rebuild', '--json'])
  await eventually(async () => expect((await snapshot()).rebuilds.wanted).toBeGreaterThan(rebuilds.wanted))
  signal('rule-updater', 'SIGCONT')
  const rebuilt = await rebuilding
  expect(rebuilt).toMatchObject({ code: 0, stderr: '' })
  expect(JSON.parse(rebuilt.stdout).version).toBeGreaterThan(version!)
  await expectWhole(JSON.parse(rebuilt.stdout))
})

it('with a damaged manifest, says so; rebuild goes on asking until there is a whole one', async () => {
  signal('rule-updater', 'SIGSTOP')
  await damage()
  const shown = await run(['snapshot'])
  expect(shown).toMatchObject({ code: 1, stdout: '' })
  expect(shown.stderr).toMatch(/^The snapshot in Redis is damaged\. .*\n$/)
  const before = await refusals()
  const rebuilding = run(['snapshot', 'rebuild', '--json'])
  await eventually(async () => expect(await refusals()).toBeGreaterThan(before + 1))
  signal('rule-updater', 'SIGCONT')
  const { code, stdout, stderr } = await rebuilding
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  await expectWhole(JSON.parse(stdout))
})

it('while rule-service is away, says so; rebuild goes on asking until it is back', async () => {
  const { rebuilds } = await snapshot()
  signal('rule-updater', 'SIGSTOP')
  const rebuilding = run(['snapshot', 'rebuild'])
  await eventually(async () => expect((await snapshot()).rebuilds.wanted).toBeGreaterThan(rebuilds.wanted))
  signal('supervisor', 'SIGSTOP')
  signal('rule-service', 'SIGKILL')
  const shown = await run(['snapshot'])
  expect(shown).toMatchObject({ code: 1, stdout: '' })
  expect(shown.stderr).toMatch(/^GET \S+\/api\/v1\/snapshot has no answer \(see .*\): connect ECONNREFUSED .*\n$/)
  signal('supervisor', 'SIGCONT')
  signal('rule-updater', 'SIGCONT')
  expect(await rebuilding).toMatchObject({ code: 0, stderr: '' })
})

it('rebuild gives up when its time is over, says why, and what is asked for is done all the same', async () => {
  signal('rule-updater', 'SIGSTOP')
  await damage()
  const { code, stdout, stderr } = await run(['snapshot', 'rebuild', '--within', '1'])
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
  expect(stderr).toMatch(
    /^The rebuild is not done after 1 s\. The snapshot .* is damaged\. .*\nIt stays asked for .*\n$/,
  )
  signal('rule-updater', 'SIGCONT')
  await eventually(async () => {
    const { rebuilds } = await snapshot()
    expect(rebuilds.done).toBe(rebuilds.wanted)
  })
})

it('needs a stack that runs', async () => {
  const { code, stdout, stderr } = await run(['snapshot'], { env: { TOCSIN_HOME: `${home}-of-nothing` } })
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
  expect(stderr).toBe('Tocsin does not run. Start it with\n    ./tocsin up --detach\n')
})

it.each([[['help', 'snapshot']], [['snapshot', '--help']], [['snapshot', 'rebuild', '-h']]])(
  '%j is its help',
  async args => {
    const { code, stdout, stderr } = await run(args)
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toMatch(/^Usage: \.\/tocsin snapshot \[rebuild\]/)
  },
)

it.each([
  [['snapshot', 'destroy'], 'A snapshot cannot be asked to destroy'],
  [['snapshot', 'rebuild', 'now'], 'What is now?'],
  [['snapshot', '--loud'], "Unknown option '--loud'"],
  [['snapshot', '--within', '5'], '--within is of a rebuild'],
  [['snapshot', 'rebuild', '--within', 'soon'], '--within must be a whole number from 1 to 86400'],
])('refuses %j with the usage and exit code 2', async (args, reason) => {
  const { code, stdout, stderr } = await run(args)
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
  expect(stderr.startsWith(`${reason}\n\nUsage: ./tocsin snapshot`), stderr).toBe(true)
})
