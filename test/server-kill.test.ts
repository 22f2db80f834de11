import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Database } from '@tocsin/postgres/database'
import { callApi } from '@tocsin/testkit/call-api'
import { openDatabase } from '@tocsin/testkit/private-database'
import { startWebhookReceiver, type WebhookReceiver } from '@tocsin/testkit/webhook-receiver'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { expectNothingLost, type Flow, takeoverMs } from './flow.ts'
import { createTeam } from './team.ts'

/** A whole `./tocsin up` of its own: its servers may die, and only its supervisor brings them back. */
const home = mkdtempSync(join(tmpdir(), 'tocsin-server-kill-'))
const portBase = 28_480

let receiver: WebhookReceiver
let database: Database
let flow: Flow

function tocsin(...args: string[]): string {
  const root = join(import.meta.dirname, '..')
  const env = { ...process.env, TOCSIN_HOME: home }
  const { status, stdout, stderr } = spawnSync(join(root, 'tocsin'), args, { cwd: root, env, encoding: 'utf8' })
  expect(status, stdout + stderr).toBe(0)
  return stdout
}

beforeAll(async () => {
  tocsin('up', '--detach', '--infra', 'embedded', '--port-base', String(portBase))
  const { urls, admin_key } = JSON.parse(tocsin('status', '--json'))
  const api = { call: callApi({ ruleService: urls.rule_service, alertProducer: urls.alert_producer, key: admin_key }) }
  receiver = await startWebhookReceiver()
  database = openDatabase(urls.database_url)
  const team = await createTeam(api, receiver.url)
  await team.addRule()
  flow = { api, database, receiver, team }
})
afterEach(context => {
  if (context.task.result?.state === 'fail') console.error(tocsin('logs', '--lines', '300'))
})
afterAll(async () => {
  await database?.close()
  await receiver?.close()
  tocsin('down', '--wipe')
  rmSync(home, { recursive: true, force: true })
})

const pidOf = (part: string): number =>
  JSON.parse(readFileSync(join(home, 'run/state.json'), 'utf8')).processes[part].pid

/** Each alone is for the long form: together they are got over in the time of the slowest. */
const alone = process.env.TOCSIN_TEST_DEEP ? [['kafka'], ['postgres'], ['redis']] : []

test.each([['kafka', 'postgres', 'redis'], ...alone].map(parts => [parts] as const))(
  'kill -9 of %s while 1,000 alerts flow: what was killed comes back, and 1,000 notifications are delivered',
  async parts => {
    const killed = parts.map(pidOf)
    await expectNothingLost(flow, parts.join('-'), async () => {
      for (const pid of killed) process.kill(pid, 'SIGKILL')
      await sleep(100)
    })
    for (const [index, part] of parts.entries()) expect(pidOf(part)).not.toBe(killed[index])
  },
  2 * takeoverMs,
)
