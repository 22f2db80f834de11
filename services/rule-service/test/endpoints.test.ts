import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { conditions, problemsIn, type RunningRuleService, startRuleService } from './running-rule-service.ts'

let running: RunningRuleService
const base = '/api/v1/teams/payments/endpoints'
const webhook = { kind: 'webhook', name: 'ops', url: 'https://hooks.example.org/alerts' }
const email = { kind: 'email', name: 'on call', to: ['a@example.org', 'b@example.org'] }

beforeAll(async () => {
  running = await startRuleService()
  await running.service.running.started
  for (const team_id of ['payments', 'others']) await call('POST', '/api/v1/teams', { team_id, name: team_id })
})
afterAll(() => running[Symbol.asyncDispose]())

const call: RunningRuleService['call'] = (...request) => running.call(...request)
const made = async (body: unknown) => (await call('POST', base, body)).body

describe('endpoints', () => {
  it('a webhook gets a secret that is told once, with 201, and never again', async () => {
    const { status, headers, body } = await call('POST', base, webhook)
    expect(status).toBe(201)
    expect(body).toMatchObject({ ...webhook, team_id: 'payments', enabled: true, version: 1 })
    expect(Buffer.from(body.secret.replace(/^whsec_/, ''), 'base64')).toHaveLength(32)
    expect(headers.get('location')).toBe(`${base}/${body.endpoint_id}`)
    const { secret, ...rest } = body
    expect((await call('GET', `${base}/${body.endpoint_id}`)).body).toEqual(rest)
    for (const answer of [
      await call('GET', base),
      await call('PUT', `${base}/${body.endpoint_id}`, webhook),
      await call('PATCH', `${base}/${body.endpoint_id}`, { name: 'x' }),
    ]) {
      expect(JSON.stringify(answer.body)).not.toContain('whsec_')
    }
    const { rows } = await running.database.query('SELECT secret FROM endpoints WHERE endpoint_id = $1', [
      body.endpoint_id,
    ])
    expect(rows).toEqual([{ secret }])
  })

  it('two webhooks never share a secret; email has none', async () => {
    expect((await made(webhook)).secret).not.toBe((await made(webhook)).secret)
    expect(await made(email)).not.toHaveProperty('secret')
  })

  it.each([
    [{}, ['/kind invalid_union']],
    [{ kind: 'sms', name: 'x' }, ['/kind invalid_union']],
    [{ kind: 'webhook', name: 'x' }, ['/url invalid_type']],
    [{ ...webhook, url: 'http://hooks.example.org/' }, ['/url bad_url']],
    [{ ...webhook, url: 'https://user:pw@hooks.example.org/' }, ['/url bad_url']],
    [{ ...webhook, to: ['a@example.org'] }, ['/to unknown_field']],
    [{ ...webhook, secret: 'whsec_mine' }, ['/secret unknown_field']],
    [{ ...email, to: [] }, ['/to too_small']],
    [{ ...email, to: ['a@example.org', 'nobody'] }, ['/to/1 invalid_format']],
  ])('422 for %j', async (body, problems) => {
    const answer = await call('POST', base, body)
    expect([answer.status, answer.body.error_code]).toEqual([422, 'invalid'])
    expect(problemsIn(answer.body)).toEqual(problems)
  })

  it('takes plain http to this machine only where it is allowed', async () => {
    const local = { ...webhook, url: 'http://127.0.0.1:9000/hook' }
    expect((await call('POST', base, local)).status).toBe(201)
    await using strict = await startRuleService({ ALLOW_LOOPBACK_WEBHOOKS: 'false' })
    await strict.call('POST', '/api/v1/teams', { team_id: 'payments', name: 'x' })
    for (const url of ['http://127.0.0.1:9000/hook', 'https://localhost/hook']) {
      const { status, body } = await strict.call('POST', base, { ...webhook, url })
      expect([status, problemsIn(body)]).toEqual([422, ['/url bad_url']])
    }
  })

  it('PATCH with null: back to what it is unless told, and 422 where there is no such thing', async () => {
    const mergePatch = { 'content-type': 'application/merge-patch+json' }
    const { endpoint_id } = await made({ ...webhook, enabled: false })
    const path = `${base}/${endpoint_id}`
    const { status, body } = await call('PATCH', path, { enabled: null, to: null }, mergePatch)
    expect([status, body.enabled, body.url]).toEqual([200, true, webhook.url])
    for (const member of ['name', 'url', 'kind']) {
      const refused = await call('PATCH', path, { [member]: null }, mergePatch)
      expect([refused.status, refused.body.details.problems[0].pointer]).toEqual([422, `/${member}`])
    }
  })

  it('PUT replaces, PATCH changes what it names, both under If-Match; the kind is for ever', async () => {
    const { endpoint_id } = await made(email)
    const path = `${base}/${endpoint_id}`
    const put = await call('PUT', path, { kind: 'email', name: 'night', to: ['c@example.org'] }, { 'if-match': '"1"' })
    expect([put.status, put.headers.get('etag')]).toEqual([200, '"2"'])
    expect(put.body).toMatchObject({ name: 'night', to: ['c@example.org'], enabled: true })
    const patch = await call('PATCH', path, { enabled: false })
    expect(patch.body).toMatchObject({ name: 'night', to: ['c@example.org'], enabled: false, version: 3 })
    expect((await call('PATCH', path, { name: 'x' }, { 'if-match': '"2"' })).status).toBe(412)
    expect(problemsIn((await call('PUT', path, webhook)).body)).toEqual(['/kind fixed'])
    expect((await call('PATCH', path, { kind: 'webhook' })).status).toBe(422)
    expect(problemsIn((await call('PATCH', path, { to: null })).body)).toEqual(['/to invalid_type'])
    expect((await call('GET', path)).body.version).toBe(3)
  })

  it('two PATCHes of different members at the same time both count', async () => {
    const { endpoint_id } = await made(email)
    const patches = [{ name: 'new' }, { enabled: false }, { to: ['z@example.org'] }]
    await Promise.all(patches.map(patch => call('PATCH', `${base}/${endpoint_id}`, patch)))
    const { body } = await call('GET', `${base}/${endpoint_id}`)
    expect(body).toMatchObject({ name: 'new', enabled: false, to: ['z@example.org'], version: 4 })
  })

  it('belongs to its team: another one does not see it', async () => {
    const { endpoint_id } = await made(email)
    const path = `/api/v1/teams/others/endpoints/${endpoint_id}`
    for (const [method, body] of [['GET'], ['PATCH', { name: 'x' }], ['DELETE']] as const) {
      expect((await call(method, path, body)).status).toBe(404)
    }
    expect((await call('GET', '/api/v1/teams/others/endpoints')).body).toEqual({ items: [], next_cursor: null })
  })

  it('409 that names the rules, while a rule notifies it; 204 and then 404 afterwards', async () => {
    const { endpoint_id } = await made(email)
    const rule = await call('POST', '/api/v1/teams/payments/rules', {
      name: 'High',
      conditions,
      endpoints: [endpoint_id],
    })
    const refused = await call('DELETE', `${base}/${endpoint_id}`)
    expect([refused.status, refused.body.error_code]).toEqual([409, 'conflict'])
    expect(refused.body.details).toEqual({ rules: [{ rule_id: rule.body.rule_id, name: 'High' }] })
    await call('DELETE', `/api/v1/teams/payments/rules/${rule.body.rule_id}`)
    expect((await call('DELETE', `${base}/${endpoint_id}`)).status).toBe(204)
    expect((await call('GET', `${base}/${endpoint_id}`)).status).toBe(404)
    expect((await call('DELETE', `${base}/${endpoint_id}`)).status).toBe(404)
  })

  it('never leaves a rule with an endpoint that is gone, however the two requests meet', async () => {
    for (let round = 0; round < 10; round++) {
      const { endpoint_id } = await made(email)
      const [rule, deleted] = await Promise.all([
        call('POST', '/api/v1/teams/payments/rules', { name: 'r', conditions, endpoints: [endpoint_id] }),
        call('DELETE', `${base}/${endpoint_id}`),
      ])
      expect([
        [201, 409],
        [422, 204],
      ]).toContainEqual([rule.status, deleted.status])
    }
  })
})
