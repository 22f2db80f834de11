import { errorBodySchema } from '@tocsin/contracts/errors'
import { newId } from '@tocsin/contracts/ids'
import { eventually } from '@tocsin/testkit/eventually'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { conditions, problemsIn, type RunningRuleService, startRuleService } from './running-rule-service.ts'

let running: RunningRuleService
beforeAll(async () => {
  running = await startRuleService()
  await running.service.running.started
})
afterAll(() => running[Symbol.asyncDispose]())

const call: RunningRuleService['call'] = (...request) => running.call(...request)
let teams = 0
async function newTeam(): Promise<string> {
  const team_id = `team-${++teams}`
  await call('POST', '/api/v1/teams', { team_id, name: 'A team' })
  return team_id
}

describe('teams', () => {
  it('201 with what the team is, where it is and its first version', async () => {
    const { status, headers, body } = await call('POST', '/api/v1/teams', { team_id: 'payments', name: ' Payments ' })
    expect(status).toBe(201)
    expect(headers.get('location')).toBe('/api/v1/teams/payments')
    expect(headers.get('etag')).toBe('"1"')
    expect(body).toEqual({
      team_id: 'payments',
      name: 'Payments',
      version: 1,
      created_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
      updated_at: body.created_at,
    })
    expect((await call('GET', '/api/v1/teams/payments')).body).toEqual(body)
  })

  it('409 for an id that is taken, and the team stays as it is', async () => {
    const team = await newTeam()
    const { status, body } = await call('POST', '/api/v1/teams', { team_id: team, name: 'Another' })
    expect([status, body.error_code]).toEqual([409, 'conflict'])
    expect((await call('GET', `/api/v1/teams/${team}`)).body.name).toBe('A team')
  })

  it.each([
    [{}, ['/team_id invalid_type', '/name invalid_type']],
    [{ team_id: 'Not A Slug', name: 'x' }, ['/team_id invalid_format']],
    [{ team_id: 'ok', name: '   ' }, ['/name too_small']],
    [{ team_id: 'ok', name: 'x\0' }, ['/name bad_text']],
    [{ team_id: 'ok', name: 'x', owner: 'me' }, ['/owner unknown_field']],
  ])('422 for %j', async (body, problems) => {
    const answer = await call('POST', '/api/v1/teams', body)
    expect(answer.status).toBe(422)
    expect(problemsIn(answer.body)).toEqual(problems)
  })

  it('PUT and PATCH rename and count the version; the id cannot change', async () => {
    const team = await newTeam()
    const put = await call('PUT', `/api/v1/teams/${team}`, { team_id: team, name: 'B' })
    expect([put.status, put.headers.get('etag'), put.body.name, put.body.version]).toEqual([200, '"2"', 'B', 2])
    const patch = await call('PATCH', `/api/v1/teams/${team}`, { name: 'C' })
    expect([patch.body.name, patch.body.version]).toEqual(['C', 3])
    const moved = await call('PUT', `/api/v1/teams/${team}`, { team_id: 'elsewhere', name: 'D' })
    expect(problemsIn(moved.body)).toEqual(['/team_id fixed'])
  })

  it('If-Match: the current version edits, a stale one gets 412 and what is current', async () => {
    const path = `/api/v1/teams/${await newTeam()}`
    expect((await call('PUT', path, { name: 'B' }, { 'if-match': '"1"' })).status).toBe(200)
    for (const [method, body] of [
      ['PUT', { name: 'C' }],
      ['PATCH', { name: 'C' }],
      ['DELETE', undefined],
    ] as const) {
      const stale = await call(method, path, body, { 'if-match': '"1"' })
      expect([stale.status, stale.body.error_code, stale.body.details.current_etag]).toEqual([412, 'stale', '"2"'])
    }
    expect((await call('GET', path)).body).toMatchObject({ name: 'B', version: 2 })
    expect((await call('DELETE', path, undefined, { 'if-match': '*' })).status).toBe(204)
  })

  it('of two editors who have seen the same version one gets through', async () => {
    const path = `/api/v1/teams/${await newTeam()}`
    const edits = ['B', 'C', 'D', 'E'].map(name => call('PUT', path, { name }, { 'if-match': '"1"' }))
    expect((await Promise.all(edits)).map(({ status }) => status).sort()).toEqual([200, 412, 412, 412])
  })

  it('lists every team once, page by page', async () => {
    const made = [await newTeam(), await newTeam(), await newTeam()]
    const seen: string[] = []
    let cursor = ''
    do {
      const { status, body } = await call('GET', `/api/v1/teams?limit=2${cursor && `&cursor=${cursor}`}`)
      expect(status).toBe(200)
      seen.push(...body.items.map((team: { team_id: string }) => team.team_id))
      cursor = body.next_cursor
    } while (cursor !== null)
    expect(seen).toEqual([...new Set(seen)].sort())
    expect(seen).toEqual(expect.arrayContaining(made))
  })

  it('deleting a team tells the end of each of its rules, and takes its endpoints along', async () => {
    const team = await newTeam()
    const endpoint = await call('POST', `/api/v1/teams/${team}/endpoints`, {
      kind: 'email',
      name: 'e',
      to: ['a@example.org'],
    })
    const rules = []
    for (const name of ['one', 'two']) {
      const rule = { name, conditions, endpoints: [endpoint.body.endpoint_id] }
      rules.push((await call('POST', `/api/v1/teams/${team}/rules`, rule)).body.rule_id)
    }
    expect((await call('DELETE', `/api/v1/teams/${team}`)).status).toBe(204)
    expect((await call('DELETE', `/api/v1/teams/${team}`)).status).toBe(404)
    const { rows } = await running.database.query(
      `SELECT message ->> 'rule_id' AS rule_id, message ->> 'action' AS action, message -> 'version' AS version
       FROM outbox WHERE message ->> 'team_id' = $1 ORDER BY outbox_id`,
      [team],
    )
    expect(rows.slice(0, 2).map(row => row.action)).toEqual(['created', 'created'])
    expect(rows.slice(2).sort((a, b) => (a.rule_id < b.rule_id ? -1 : 1))).toEqual(
      rules.map(rule_id => ({ rule_id, action: 'deleted', version: 2 })),
    )
    expect((await running.database.query('SELECT FROM endpoints WHERE team_id = $1', [team])).rowCount).toBe(0)
  })

  it('a team that is deleted while rules are written in it ends with no rules and a message for each that there was', async () => {
    const team = await newTeam()
    const writes = Array.from({ length: 12 }, (_, n) =>
      call('POST', `/api/v1/teams/${team}/rules`, { name: `r${n}`, conditions }),
    )
    const deleted = call('DELETE', `/api/v1/teams/${team}`)
    const statuses = (await Promise.all(writes)).map(({ status }) => status)
    expect((await deleted).status).toBe(204)
    expect(statuses.every(status => status === 201 || status === 404)).toBe(true)
    const { rows } = await running.database.query<{ rule_id: string; actions: string[] }>(
      `SELECT key AS rule_id, array_agg(message ->> 'action' ORDER BY outbox_id) AS actions
       FROM outbox WHERE message ->> 'team_id' = $1 GROUP BY key`,
      [team],
    )
    expect(rows).toHaveLength(statuses.filter(status => status === 201).length)
    for (const { actions } of rows) expect(actions).toEqual(['created', 'deleted'])
  })
})

describe('what every path has in common', () => {
  const endpoint = newId('endpoint')
  const paths = [
    '',
    '/endpoints',
    `/endpoints/${endpoint}`,
    '/rules',
    '/rules/rul_1',
    '/notifications',
    '/notifications/ntf_1',
  ]
  const below = [...paths, '/notifications/ntf_1/deliveries', '/deliveries', '/deliveries/dlv_1']

  it.each(below)('404 in the one error shape for GET %s of a team that does not exist', async path => {
    const { status, body, headers } = await call('GET', `/api/v1/teams/nobody${path}`)
    expect([status, errorBodySchema.parse(body).error_code]).toEqual([404, 'not_found'])
    expect(body.request_id).toBe(headers.get('x-request-id'))
  })

  it.each([
    ['PUT', '', { name: 'x' }],
    ['PATCH', '', { name: 'x' }],
    ['DELETE', '', undefined],
    ['POST', '/endpoints', { kind: 'email', name: 'x', to: ['a@example.org'] }],
    ['PUT', `/endpoints/${endpoint}`, { kind: 'email', name: 'x', to: ['a@example.org'] }],
    ['PATCH', `/endpoints/${endpoint}`, { name: 'x' }],
    ['DELETE', `/endpoints/${endpoint}`, undefined],
    ['POST', '/rules', { name: 'x', conditions }],
    ['PUT', '/rules/rul_1', { name: 'x', conditions }],
    ['PATCH', '/rules/rul_1', { name: 'x' }],
    ['DELETE', '/rules/rul_1', undefined],
  ])('404 for %s %s of a team that does not exist', async (method, path, body) => {
    expect((await call(method, `/api/v1/teams/nobody${path}`, body)).status).toBe(404)
  })

  it('401 without a key, also for what does not exist', async () => {
    for (const path of ['/api/v1/teams', '/api/v1/teams/nobody', '/api/v1/nothing']) {
      const response = await fetch(running.service.url + path)
      expect([response.status, response.headers.get('www-authenticate')]).toEqual([401, 'Bearer'])
      expect(errorBodySchema.parse(await response.json()).error_code).toBe('unauthenticated')
    }
  })

  it('405 with Allow where the path exists', async () => {
    const { status, headers } = await call('DELETE', '/api/v1/teams')
    expect([status, headers.get('allow')]).toEqual([405, 'GET, HEAD, POST'])
  })

  it('400 and 422 for what cannot be a page', async () => {
    expect((await call('GET', '/api/v1/teams?cursor=x')).status).toBe(400)
    expect((await call('GET', '/api/v1/teams?limit=0')).status).toBe(422)
  })

  it('is ready, and shows what waits to be published', async () => {
    const ready = await call('GET', '/ready')
    expect(Object.keys(ready.body.checks).sort()).toEqual(['kafka', 'postgres', 'redis'])
    expect(ready.status).toBe(200)
    await eventually(async () => {
      expect((await call('GET', '/status')).body.outbox).toEqual({ rows: 0, oldest_seconds: 0 })
    })
  })
})
