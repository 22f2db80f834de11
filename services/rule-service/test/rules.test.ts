import { connectRedis } from '@tocsin/redis/connection'
import { heartbeat } from '@tocsin/redis/evaluator-registry'
import { createLogger } from '@tocsin/runtime/logger'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { conditions, problemsIn, type RunningRuleService, stamp, startRuleService } from './running-rule-service.ts'

let running: RunningRuleService
let endpoint: string
let foreign: string
const base = '/api/v1/teams/payments/rules'

beforeAll(async () => {
  running = await startRuleService()
  await running.service.running.started
  const email = { kind: 'email', name: 'on call', to: ['a@example.org'] }
  for (const team_id of ['payments', 'others']) await call('POST', '/api/v1/teams', { team_id, name: team_id })
  endpoint = (await call('POST', '/api/v1/teams/payments/endpoints', email)).body.endpoint_id
  foreign = (await call('POST', '/api/v1/teams/others/endpoints', email)).body.endpoint_id
})
afterAll(() => running[Symbol.asyncDispose]())

const call: RunningRuleService['call'] = (...request) => running.call(...request)
const made = async (body: unknown) => (await call('POST', base, body)).body

async function actionsOf(ruleId: string): Promise<string[]> {
  const { rows } = await running.database.query<{ told: string }>(
    `SELECT (message ->> 'action') || ' ' || (message ->> 'version') AS told FROM outbox WHERE key = $1 ORDER BY outbox_id`,
    [ruleId],
  )
  return rows.map(row => row.told)
}

describe('rules', () => {
  it('201 for the conditions form', async () => {
    const { status, headers, body } = await call('POST', base, {
      name: 'High errors',
      conditions,
      endpoints: [endpoint],
    })
    expect([status, headers.get('etag')]).toEqual([201, '"1"'])
    expect(headers.get('location')).toBe(`${base}/${body.rule_id}`)
    expect(body).toEqual({
      rule_id: expect.stringMatching(/^rul_/),
      team_id: 'payments',
      name: 'High errors',
      conditions,
      endpoints: [endpoint],
      enabled: true,
      notify_resolved: true,
      version: 1,
      created_at: expect.any(String),
      updated_at: body.created_at,
    })
  })

  it('what is allowed and looks like a mistake is told to its writer, and to nobody else', async () => {
    const doubtful = { all: [{ fact: 'sevrity', operator: 'equal', value: 'HIGH' }] }
    const { status, body } = await call('POST', base, { name: 'x', conditions: doubtful })
    expect(status).toBe(201)
    expect(body.warnings).toEqual([
      expect.objectContaining({ pointer: '/conditions/all/0/fact', message: expect.any(String) }),
    ])
    const path = `${base}/${body.rule_id}`
    expect((await call('GET', path)).body).not.toHaveProperty('warnings')
    expect((await call('PATCH', path, { enabled: false })).body).toHaveProperty('warnings')
    expect((await call('PATCH', path, { conditions })).body).not.toHaveProperty('warnings')
  })

  it('413 for a body that is far larger than conditions may be, whichever method brings it', async () => {
    const { rule_id } = await made({ name: 'x', conditions })
    const body = { name: 'x', conditions: { all: Array(90_000).fill({}) } }
    for (const [method, path] of [
      ['POST', base],
      ['PUT', `${base}/${rule_id}`],
      ['PATCH', `${base}/${rule_id}`],
    ] as const) {
      const answer = await call(method, path, body)
      expect([answer.status, answer.body.error_code]).toEqual([413, 'too_large'])
    }
  })

  it('201 for the short form, kept as written beside the conditions that it means', async () => {
    const short = { severity: 'HIGH', source: '*', name: 'timeout' }
    const rule = await made({ ...short, enabled: false, notify_resolved: false })
    expect(rule).toMatchObject({ ...short, endpoints: [], enabled: false, notify_resolved: false })
    expect(rule.conditions.all).toHaveLength(2)
    expect((await call('GET', `${base}/${rule.rule_id}`)).body).toMatchObject({ ...rule })
  })

  it.each([
    [{ name: 'x', conditions, severity: 'HIGH' }, [' two_forms']],
    [{ name: 'x' }, [' no_form']],
    [{ severity: '*', source: '*', name: '*' }, [' matches_everything']],
    [
      { name: 'x', conditions: { all: [{ fact: 'name' }] } },
      ['/conditions/all/0/operator unknown_operator', '/conditions/all/0/value required'],
    ],
    [{ name: 'x', conditions: { any: [], all: [] } }, ['/conditions ambiguous']],
    [{ name: 'x', conditions, endpoints: 'all' }, ['/endpoints invalid_type']],
    [
      { name: 'x', conditions: { all: [{ fact: 'name', operator: 'equal', value: 'a\0' }] } },
      ['/conditions/all/0/value bad_text'],
    ],
  ])('422 for %j', async (body, problems) => {
    const answer = await call('POST', base, body)
    expect([answer.status, answer.body.error_code]).toEqual([422, 'invalid'])
    expect(problemsIn(answer.body)).toEqual(problems)
  })

  it('422 with the position of each endpoint that is not of this team', async () => {
    const answer = await call('POST', base, { name: 'x', conditions, endpoints: [foreign, endpoint, 'end_none'] })
    expect(problemsIn(answer.body)).toEqual(['/endpoints/0 unknown_endpoint', '/endpoints/2 unknown_endpoint'])
    const { rule_id } = await made({ name: 'x', conditions })
    const patch = await call('PATCH', `${base}/${rule_id}`, { endpoints: [foreign] })
    expect(problemsIn(patch.body)).toEqual(['/endpoints/0 unknown_endpoint'])
    expect((await call('GET', `${base}/${rule_id}`)).body.version).toBe(1)
  })

  it('PUT replaces all of it, in either form', async () => {
    const { rule_id } = await made({
      name: 'x',
      conditions,
      endpoints: [endpoint],
      enabled: false,
      notify_resolved: false,
    })
    const path = `${base}/${rule_id}`
    const replaced = await call('PUT', path, { severity: 'LOW', source: 'api', name: 'slow' })
    expect([replaced.status, replaced.headers.get('etag')]).toEqual([200, '"2"'])
    const defaults = { endpoints: [], enabled: true, notify_resolved: true, version: 2 }
    expect(replaced.body).toMatchObject({ rule_id, severity: 'LOW', source: 'api', name: 'slow', ...defaults })
    const back = await call('PUT', path, { name: 'y', conditions })
    expect(back.body).toMatchObject({ name: 'y', conditions, version: 3 })
    expect(back.body).not.toHaveProperty('severity')
  })

  it('PATCH changes what it names; each change counts once and is told as what it is', async () => {
    const { rule_id } = await made({ name: 'x', conditions, endpoints: [endpoint] })
    const path = `${base}/${rule_id}`
    await call('PATCH', path, { enabled: false })
    await call('PATCH', path, { name: 'renamed' })
    const { body } = await call(
      'PATCH',
      path,
      { enabled: true, name: 'again' },
      { 'content-type': 'application/merge-patch+json' },
    )
    expect(body).toMatchObject({ name: 'again', conditions, endpoints: [endpoint], enabled: true, version: 4 })
    expect((await call('DELETE', path)).status).toBe(204)
    expect(await actionsOf(rule_id)).toEqual(['created 1', 'disabled 2', 'updated 3', 'enabled 4', 'deleted 5'])
  })

  it('a refused write changes nothing and tells nobody', async () => {
    const { rule_id } = await made({ name: 'x', conditions })
    const path = `${base}/${rule_id}`
    expect((await call('PUT', path, { name: 'y', conditions: {} })).status).toBe(422)
    expect((await call('PUT', path, { name: 'y', conditions }, { 'if-match': '"7"' })).status).toBe(412)
    expect((await call('DELETE', path, undefined, { 'if-match': '"7"' })).status).toBe(412)
    expect(await actionsOf(rule_id)).toEqual(['created 1'])
  })

  it('editors at the same time: versions without gaps, told in their order', async () => {
    const { rule_id } = await made({ name: 'x', conditions })
    const path = `${base}/${rule_id}`
    const edits = Array.from({ length: 20 }, (_, n) => call('PATCH', path, { name: `edit ${n}` }))
    const versions = (await Promise.all(edits)).map(({ body }) => body.version).sort((a, b) => a - b)
    expect(versions).toEqual(Array.from({ length: 20 }, (_, n) => n + 2))
    expect((await actionsOf(rule_id)).slice(1)).toEqual(versions.map(version => `updated ${version}`))
    const matching = await Promise.all(
      Array.from({ length: 4 }, () => call('PATCH', path, { enabled: false }, { 'if-match': '"21"' })),
    )
    expect(matching.map(({ status }) => status).sort()).toEqual([200, 412, 412, 412])
  })

  it('404 for a rule that is not there or is of another team', async () => {
    const { rule_id } = await made({ name: 'x', conditions })
    for (const path of [`${base}/rul_none`, `/api/v1/teams/others/rules/${rule_id}`]) {
      for (const [method, body] of [['GET'], ['PUT', { name: 'y', conditions }], ['PATCH', {}], ['DELETE']] as const) {
        expect((await call(method, path, body)).status).toBe(404)
      }
    }
  })

  it('lists in the order in which they were made, page by page, without the live count', async () => {
    await call('POST', '/api/v1/teams', { team_id: 'many', name: 'Many' })
    const path = '/api/v1/teams/many/rules'
    const ids: string[] = []
    for (let n = 0; n < 5; n++) ids.push((await call('POST', path, { name: `r${n}`, conditions })).body.rule_id)
    const first = (await call('GET', `${path}?limit=3`)).body
    const second = (await call('GET', `${path}?limit=3&cursor=${first.next_cursor}`)).body
    expect([...first.items, ...second.items].map(rule => rule.rule_id)).toEqual(ids.sort())
    expect(second.next_cursor).toBeNull()
    expect(first.items[0]).not.toHaveProperty('live')
    expect((await call('GET', `/api/v1/teams?cursor=${first.next_cursor}`)).status).toBe(400)
  })
})

describe('is my rule live?', () => {
  const liveOf = async (ruleId: string) => (await call('GET', `${base}/${ruleId}`)).body.live

  it('counts the evaluators that match with the current version, and says since when there is a snapshot with it', async () => {
    const { REDIS_URL = '', REDIS_KEY_PREFIX = '' } = running.environment
    const redis = connectRedis({ REDIS_URL, REDIS_KEY_PREFIX }, createLogger('test', 'silent'))
    await new Promise(resolve => redis.once('ready', resolve))
    const since = '2026-07-01T08:00:00.000Z'
    const { rule_id } = await made({ name: 'x', conditions })
    expect(await liveOf(rule_id)).toEqual({ evaluators: '0/0', version: null, since: null })
    await heartbeat(redis, REDIS_KEY_PREFIX, { evaluator_id: 'a', snapshot_version: 7, since })
    await heartbeat(redis, REDIS_KEY_PREFIX, { evaluator_id: 'b', snapshot_version: 6, since })
    expect(await liveOf(rule_id)).toEqual({ evaluators: '0/2', version: null, since: null })
    await stamp(running.database, rule_id, 7, since)
    expect(await liveOf(rule_id)).toEqual({ evaluators: '1/2', version: 7, since })
    const refusing = async (rules: number, rule_ids: string[]) => {
      const entry = { evaluator_id: 'b', snapshot_version: 7, since, refused: { rules, rule_ids } }
      await heartbeat(redis, REDIS_KEY_PREFIX, entry)
    }
    await refusing(1, ['another'])
    expect((await liveOf(rule_id)).evaluators).toBe('2/2')
    await refusing(2, ['another', rule_id])
    expect((await liveOf(rule_id)).evaluators).toBe('1/2')
    // Which others it refuses it does not say.
    await refusing(2, ['another'])
    expect((await liveOf(rule_id)).evaluators).toBe('1/2')
    await call('PATCH', `${base}/${rule_id}`, { enabled: false })
    expect(await liveOf(rule_id)).toEqual({ evaluators: '0/2', version: null, since: null })
    redis.disconnect()
  })
})
