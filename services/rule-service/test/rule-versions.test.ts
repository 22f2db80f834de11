import { newApiKey, saveApiKey } from '@tocsin/postgres/api-keys'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { conditions, type RunningRuleService, stamp, startRuleService } from './running-rule-service.ts'

let running: RunningRuleService
const base = '/api/v1/teams/payments/rules'

beforeAll(async () => {
  running = await startRuleService()
  await running.service.running.started
  for (const team_id of ['payments', 'others']) await call('POST', '/api/v1/teams', { team_id, name: team_id })
})
afterAll(() => running[Symbol.asyncDispose]())

const call: RunningRuleService['call'] = (...request) => running.call(...request)
const makeRule = async (path = base): Promise<string> =>
  (await call('POST', path, { name: 'x', conditions })).body.rule_id

async function callWithNewKey(key_id: string, name: string): Promise<RunningRuleService['call']> {
  const key = newApiKey()
  await saveApiKey(running.database, key, { key_id, name })
  return (method, path, body) => call(method, path, body, { authorization: `Bearer ${key}` })
}

/** All versions and all messages that are there, each as one text. */
async function written(): Promise<{ versions: string[]; messages: string[] }> {
  const { rows: versions } = await running.database.query<{ line: string }>(
    `SELECT concat_ws(' ', rule_id, version, team_id, action, date_trunc('milliseconds', changed_at)) AS line
     FROM rule_versions ORDER BY line`,
  )
  const { rows: messages } = await running.database.query<{ line: string }>(
    `SELECT concat_ws(' ', key, message ->> 'version', message ->> 'team_id', message ->> 'action',
       (message ->> 'changed_at')::timestamptz) AS line
     FROM outbox ORDER BY line`,
  )
  return { versions: versions.map(row => row.line), messages: messages.map(row => row.line) }
}

describe('the versions of a rule', () => {
  it('say who made which change when, and what was before and after, newest first', async () => {
    const callAsRobot = await callWithNewKey('key_robot', 'deploy robot')
    const first = { severity: 'HIGH', source: '*', name: 'timeout' }
    const { rule_id } = (await call('POST', base, first)).body
    await callAsRobot('PATCH', `${base}/${rule_id}`, { enabled: false })
    await call('PUT', `${base}/${rule_id}`, { name: 'y', conditions, enabled: false })
    await call('PATCH', `${base}/${rule_id}`, { enabled: true })
    await callAsRobot('DELETE', `${base}/${rule_id}`)
    const { status, body } = await call('GET', `${base}/${rule_id}/versions`)

    expect(status).toBe(200)
    const settings = { endpoints: [], enabled: true, notify_resolved: true }
    const made = { ...first, conditions: expect.anything(), ...settings }
    const replaced = { name: 'y', conditions, ...settings, enabled: false }
    const robot = { key_id: 'key_robot', name: 'deploy robot' }
    const person = { key_id: 'key_test', name: 'test' }
    const rest = { changed_at: expect.stringMatching(/^20.*Z$/), snapshot_version: null, live_since: null }
    expect(body).toEqual({
      items: [
        { version: 5, action: 'deleted', changed_by: robot, before: { ...replaced, enabled: true }, after: null },
        { version: 4, action: 'enabled', changed_by: person, before: replaced, after: { ...replaced, enabled: true } },
        { version: 3, action: 'updated', changed_by: person, before: { ...made, enabled: false }, after: replaced },
        { version: 2, action: 'disabled', changed_by: robot, before: made, after: { ...made, enabled: false } },
        { version: 1, action: 'created', changed_by: person, before: null, after: made },
      ].map(item => ({ ...item, ...rest })),
      next_cursor: null,
    })
    const times = body.items.map((item: { changed_at: string }) => item.changed_at)
    expect(times).toEqual(times.toSorted().toReversed())
  })

  it('say which snapshot was the first to know of the change, and since when', async () => {
    const rule = await makeRule()
    const at = '2026-07-01T08:00:00.000Z'
    await stamp(running.database, rule, 7, at)
    await call('DELETE', `${base}/${rule}`)
    const { items } = (await call('GET', `${base}/${rule}/versions`)).body
    expect(items).toMatchObject([
      { version: 2, snapshot_version: null, live_since: null },
      { version: 1, snapshot_version: 7, live_since: at },
    ])
  })

  it('name the key by its id alone once it is deleted, and nobody where nobody was written down', async () => {
    const rule = await makeRule()
    await (await callWithNewKey('key_left', 'has left'))('PATCH', `${base}/${rule}`, { name: 'y' })
    await running.database.query(`DELETE FROM api_keys WHERE key_id = 'key_left'`)
    await running.database.query('UPDATE rule_versions SET changed_by = NULL WHERE rule_id = $1 AND version = 1', [
      rule,
    ])
    const { items } = (await call('GET', `${base}/${rule}/versions`)).body
    expect(items).toMatchObject([{ changed_by: { key_id: 'key_left', name: null } }, { changed_by: null }])
  })

  it('come page by page, each once', async () => {
    const rule = await makeRule()
    for (let n = 2; n <= 5; n++) await call('PATCH', `${base}/${rule}`, { name: `edit ${n}` })
    const seen: number[] = []
    for (let cursor = ''; cursor !== null; ) {
      const page = await call('GET', `${base}/${rule}/versions?limit=2${cursor && `&cursor=${cursor}`}`)
      seen.push(...page.body.items.map((item: { version: number }) => item.version))
      cursor = page.body.next_cursor
    }
    expect(seen).toEqual([5, 4, 3, 2, 1])
  })

  it('400 for a cursor of another rule, and for one that names no version', async () => {
    const [one, two] = [await makeRule(), await makeRule()]
    await call('PATCH', `${base}/${one}`, { name: 'y' })
    const { next_cursor } = (await call('GET', `${base}/${one}/versions?limit=1`)).body
    const forged = Buffer.from(JSON.stringify([`versions of ${one}`, 'x'])).toString('base64url')
    for (const path of [`${two}/versions?cursor=${next_cursor}`, `${one}/versions?cursor=${forged}`]) {
      const { status, body } = await call('GET', `${base}/${path}`)
      expect([status, body.error_code]).toEqual([400, 'malformed'])
    }
  })

  it('404 for a rule that never was, is of another team, or whose team is deleted', async () => {
    await call('POST', '/api/v1/teams', { team_id: 'short-lived', name: 'x' })
    const gone = await makeRule('/api/v1/teams/short-lived/rules')
    await call('DELETE', '/api/v1/teams/short-lived')
    const paths = [`${base}/rul_none`, `/api/v1/teams/others/rules/${await makeRule()}`]
    for (const path of [...paths, `/api/v1/teams/short-lived/rules/${gone}`]) {
      expect((await call('GET', `${path}/versions`)).status).toBe(404)
    }
    const { rows } = await running.database.query(
      'SELECT version, action, changed_by, definition FROM rule_versions WHERE rule_id = $1 ORDER BY version',
      [gone],
    )
    expect(rows[1]).toEqual({ version: 2, action: 'deleted', changed_by: 'key_test', definition: null })
  })
})

describe('a change, its version and its message', () => {
  it('are there together, of every writer, also of those that are refused and of deleted teams', async () => {
    await call('POST', '/api/v1/teams', { team_id: 'busy', name: 'Busy' })
    const path = '/api/v1/teams/busy/rules'
    const rules = await Promise.all(Array.from({ length: 6 }, () => makeRule(path)))
    await Promise.all(
      rules.flatMap((rule, n) => [
        call('PATCH', `${path}/${rule}`, { name: 'y' }),
        call('PATCH', `${path}/${rule}`, { enabled: false }, { 'if-match': '"1"' }),
        call('PATCH', `${path}/${rule}`, { endpoints: ['end_none'] }),
        ...(n % 2 === 0 ? [call('DELETE', `${path}/${rule}`)] : []),
      ]),
    )
    expect((await call('DELETE', '/api/v1/teams/busy')).status).toBe(204)
    const { versions, messages } = await written()
    expect(versions).toEqual(messages)
    expect(versions.length).toBeGreaterThanOrEqual(18)
  })

  it.each(['rule_versions', 'outbox'])('are all not there when %s cannot be written', async table => {
    const rule = await makeRule()
    const before = await written()
    await running.database.query(`ALTER TABLE ${table} ADD CONSTRAINT full_up CHECK (false) NOT VALID`)
    try {
      for (const [method, path, body] of [
        ['POST', base, { name: 'x', conditions }],
        ['PATCH', `${base}/${rule}`, { name: 'y' }],
        ['DELETE', `${base}/${rule}`, undefined],
        ['DELETE', '/api/v1/teams/payments', undefined],
      ] as const) {
        expect((await call(method, path, body)).status).toBe(500)
      }
    } finally {
      await running.database.query(`ALTER TABLE ${table} DROP CONSTRAINT full_up`)
    }
    expect(await written()).toEqual(before)
    expect((await call('GET', `${base}/${rule}`)).body).toMatchObject({ name: 'x', version: 1 })
  })
})
