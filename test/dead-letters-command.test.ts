import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { DeadLetter, DeadLetterResource } from '@tocsin/contracts/dead-letter'
import { createTopics, deleteTopics } from '@tocsin/kafka/topics'
import { newApiKey, saveApiKey } from '@tocsin/postgres/api-keys'
import { callApi } from '@tocsin/testkit/call-api'
import { eventually } from '@tocsin/testkit/eventually'
import { createPrivateDatabase, openDatabase } from '@tocsin/testkit/private-database'
import { publishRaw } from '@tocsin/testkit/raw-kafka'
import { testServers } from '@tocsin/testkit/servers'
import { ServiceProcess } from '@tocsin/testkit/service-process'
import { privateEnvironment } from '@tocsin/testkit/stack'
import { testKafka } from '@tocsin/testkit/test-kafka'
import { readTopic } from '@tocsin/testkit/topic-reader'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { identify } from '../scripts/processes/process-identity.ts'
import { commandIn } from './tocsin-command.ts'

const home = mkdtempSync(join(tmpdir(), 'tocsin-dead-letters-'))
const { run } = commandIn(home)
const undo: (() => unknown)[] = []
let prefix: string
let call: ReturnType<typeof callApi>
let database: ReturnType<typeof openDatabase>

/** A stack as far as the command sees one: rule-service, and a home that says where it is. */
beforeAll(async () => {
  const { url, drop } = await createPrivateDatabase()
  undo.push(drop)
  database = openDatabase(url)
  undo.push(() => database.close())
  const environment = privateEnvironment(url)
  prefix = environment.KAFKA_TOPIC_PREFIX!
  const kafka = testKafka(prefix)
  await createTopics(kafka)
  undo.push(() => deleteTopics(kafka))
  const key = newApiKey()
  await saveApiKey(database, key, { key_id: 'key_admin', name: 'admin' })
  const service = new ServiceProcess('rule-service', environment)
  await service.start()
  undo.push(() => service.end('SIGTERM'))
  await service.untilReady()
  call = callApi({ ruleService: service.url, alertProducer: service.url, key })
  for (const folder of ['run', 'data']) mkdirSync(join(home, folder))
  writeFileSync(join(home, 'data/admin-key'), key)
  const state = {
    supervisor: identify(process.pid),
    phase: 'ready',
    processes: {},
    urls: { rule_service: service.url },
  }
  writeFileSync(join(home, 'run/state.json'), JSON.stringify(state))
})
afterAll(async () => {
  for (const step of undo.toReversed()) await step()
  rmSync(home, { recursive: true, force: true })
})
beforeEach(() => database.query('DELETE FROM dead_letters'))

let offsets = 0
const letter = (code: string, value: string, more: Partial<DeadLetter> = {}): DeadLetter => ({
  schema_version: 1,
  service: 'evaluator',
  stage: 'evaluate',
  source: {
    topic: `${prefix}alerts.new`,
    partition: 3,
    offset: offsets++,
    timestamp: '2026-01-02T03:04:05.000Z',
    key: btoa('the key'),
    headers: [{ name: 'traceparent', value: btoa('00-1') }],
  },
  value: btoa(value),
  value_omitted: false,
  error: { code, message: 'what is wrong' },
  attempts: 2,
  first_failed_at: new Date().toISOString(),
  last_failed_at: new Date().toISOString(),
  ...more,
})

/** Gives them as the API has them, in the order given. */
async function add(...letters: DeadLetter[]): Promise<DeadLetterResource[]> {
  const records = letters.map(one => ({ value: JSON.stringify(one), key: 'one partition' }))
  await publishRaw(testServers().kafkaBrokers, `${prefix}dead.letters`, records)
  return eventually(async () => {
    const { body } = await call('GET', '/api/v1/dead-letters?limit=200')
    const { items } = body as { items: DeadLetterResource[] }
    expect(items).toHaveLength(letters.length)
    return items.toSorted((a, b) => a.source.offset - b.source.offset)
  })
}
const tableOf = (stdout: string) =>
  stdout
    .trimEnd()
    .split('\n')
    .map(line => line.replace(/ {2,}/g, '  '))
const states = async (letters: readonly DeadLetterResource[]) =>
  Promise.all(
    letters.map(async ({ dead_letter_id: id }) => {
      const { body } = await call('GET', `/api/v1/dead-letters/${id}`)
      return (body as DeadLetterResource).state
    }),
  )

it('lists what waits and what was done, and filters', async () => {
  const [a, b] = await add(letter('not_json', 'x'), letter('other', 'y', { service: 'sender' }))
  const { code, stdout, stderr } = await run(['dead-letters'])
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  const row = ({ dead_letter_id, last_failed_at, error, service, source }: DeadLetterResource) =>
    `${dead_letter_id}  waiting  ${last_failed_at}  ${error.code}  ${service}  ${prefix}alerts.new/3 at ${source.offset}`
  const [head, ...rows] = tableOf(stdout)
  expect(head!.trim()).toBe('state  failed  error  service  from')
  expect(rows.toSorted()).toEqual([row(a!), row(b!)].toSorted())
  expect((await run(['dead-letters', 'list', '--service', 'sender', '--json'])).stdout).toBe(
    `${JSON.stringify({ items: [b] }, undefined, 2)}\n`,
  )
  expect((await run(['dead-letters', '--state', 'discarded'])).stdout).toBe('There are none\n')
  expect(tableOf((await run(['dead-letters', '--limit', '1'])).stdout)).toHaveLength(2)
})

it('shows one with its record; what would steer the terminal is shown as text', async () => {
  const [one] = await add(letter('not_json', '{\n\t"\u001b[2J'))
  const id = one!.dead_letter_id
  const { code, stdout } = await run(['dead-letters', 'show', id])
  expect(code).toBe(0)
  expect(tableOf(stdout)).toEqual([
    `letter  ${id}`,
    'state  waiting',
    'service  evaluator, evaluate',
    `from  ${prefix}alerts.new/3 at ${one!.source.offset}, of 2026-01-02T03:04:05.000Z`,
    'error  not_json: what is wrong',
    `failed  2 times, first ${one!.first_failed_at}, last ${one!.last_failed_at}`,
    'key  the key',
    'headers  1',
    '  traceparent: 00-1',
    'value  8 bytes',
    '',
    '{',
    '\t"\\u001b[2J',
  ])
  const json = JSON.parse((await run(['dead-letters', 'show', id, '--json'])).stdout)
  expect(json).toMatchObject({ dead_letter_id: id, value: { text: '{\n\t"\u001b[2J' } })
})

it('replays the ones that are named, and says which cannot be', async () => {
  const [good, omitted] = await add(
    letter('one', '{"the":"record"}'),
    letter('one', '', { value: null, value_omitted: true }),
  )
  const ids = [omitted!.dead_letter_id, good!.dead_letter_id]
  const { code, stdout, stderr } = await run(['dead-letters', 'replay', ...ids])
  expect({ code, stdout }).toEqual({ code: 1, stdout: `${ids[1]} is replayed\n` })
  expect(stderr).toContain('value_omitted')
  await using alerts = await readTopic(`${prefix}alerts.new`)
  await eventually(() => expect(alerts.records.at(-1)).toMatchObject({ key: 'the key', value: '{"the":"record"}' }))
  expect(await states([good!, omitted!])).toEqual(['replayed', 'waiting'])
})

it('replays and discards by filter, and all', async () => {
  const letters = await add(letter('one', '1'), letter('one', '2'), letter('two', '3'), letter('three', '4'))
  expect(await run(['dead-letters', 'replay', '--error-code', 'one'])).toEqual({
    code: 0,
    stdout: '2 replayed\n',
    stderr: '',
  })
  const discarded = await run(['dead-letters', 'discard', '--error-code', 'two', '--json'])
  expect(JSON.parse(discarded.stdout)).toMatchObject({ settled: 1, skipped: 0 })
  expect(await states(letters)).toEqual(['replayed', 'replayed', 'discarded', 'waiting'])
  expect((await run(['dead-letters', 'discard', '--all'])).stdout).toBe('1 discarded\n')
})

it('by filter, says how many cannot be replayed and wait on', async () => {
  await add(letter('one', '1'), letter('one', '', { value: null, value_omitted: true }))
  const { code, stdout } = await run(['dead-letters', 'replay', '--all'])
  expect({ code, stdout }).toEqual({ code: 1, stdout: '1 replayed; 1 cannot be replayed and wait on\n' })
})

it('reports by day and error code', async () => {
  await add(letter('one', '1'), letter('two', '2'), letter('two', '3'))
  const { body } = await call('GET', '/api/v1/dead-letters/report?days=7')
  const { items } = body as { items: { day: string; error_code: string }[] }
  const { code, stdout } = await run(['dead-letters', 'report'])
  expect(code).toBe(0)
  const lines = tableOf(stdout)
  expect(lines[0]!.trim()).toBe('error  letters  waiting')
  const counts = { one: '1  1', two: '2  2' } as Record<string, string>
  expect(lines.slice(1)).toEqual(items.map(({ day, error_code }) => `${day}  ${error_code}  ${counts[error_code]}`))
})

it('needs a stack that runs', async () => {
  const { code, stderr } = await run(['dead-letters'], { env: { TOCSIN_HOME: `${home}-of-nothing` } })
  expect(code).toBe(1)
  expect(stderr).toBe('Tocsin does not run. Start it with\n    ./tocsin up --detach\n')
})

it.each([
  [['burn'], 'Dead letters cannot be asked to burn'],
  [['show'], 'show needs the id of a dead letter'],
  [['show', 'a', 'b'], 'What is b?'],
  [['list', 'a'], 'What is a?'],
  [['--state', 'gone'], '--state must be one of waiting, replayed, discarded'],
  [['replay'], 'replay needs ids, or a filter, or --all: one of the three'],
  [['discard', 'a', '--all'], 'discard needs ids, or a filter, or --all: one of the three'],
  [['replay', '--state', 'waiting'], '--state is not of replay'],
  [['report', '--days', '0'], '--days must be a whole number from 1 to 366'],
])('refuses %j with the usage and exit code 2', async (args, reason) => {
  const { code, stdout, stderr } = await run(['dead-letters', ...args])
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
  expect(stderr.startsWith(`${reason}\n\nUsage: ./tocsin dead-letters`), stderr).toBe(true)
})
