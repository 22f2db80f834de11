import type { DeadLetter } from '@tocsin/contracts/dead-letter'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { listDeadLetters } from '../src/dead-letters-store.ts'
import { addLetters, base64, failed, idsOf, letter } from './letters.ts'
import { problemsIn, type RunningRuleService, startRuleService } from './running-rule-service.ts'

let running: RunningRuleService

const path = '/api/v1/dead-letters'
const call: RunningRuleService['call'] = (...request) => running.call(...request)

beforeAll(async () => {
  running = await startRuleService()
  await running.service.running.started
})
afterAll(() => running[Symbol.asyncDispose]())
beforeEach(() => running.database.query('DELETE FROM dead_letters'))

const add = (...letters: DeadLetter[]) => addLetters(running, letters)

describe('the list', () => {
  it('newest first, page by page', async () => {
    const ids = await add(letter(), letter(), letter())
    const first = (await call('GET', `${path}?limit=2`)).body
    const second = (await call('GET', `${path}?limit=2&cursor=${first.next_cursor}`)).body
    expect([...idsOf(first), ...idsOf(second)]).toEqual(ids.toReversed())
    expect(second.next_cursor).toBeNull()
  })

  it('by state, error code, service, topic and time, also together', async () => {
    const [a, b, c] = await add(
      letter({}, { ...failed('one'), last_failed_at: '2026-01-01T10:00:00Z' }),
      letter({}, { ...failed('two'), service: 'sender', last_failed_at: '2026-01-02T10:00:00Z' }),
      letter({ topic: 'other' }, { ...failed('two'), last_failed_at: '2026-01-03T10:00:00Z' }),
    )
    await call('POST', `${path}/${c}/discard`)
    const found = async (query: string) => idsOf((await call('GET', `${path}?${query}`)).body)
    expect(await found('state=waiting')).toEqual([b, a])
    expect(await found('state=discarded')).toEqual([c])
    expect(await found('error_code=two')).toEqual([c, b])
    expect(await found('service=sender')).toEqual([b])
    expect(await found('topic=other')).toEqual([c])
    expect(await found('since=2026-01-02T12:00:00%2B02:00')).toEqual([c, b])
    expect(await found('since=2026-01-02T10:00:01Z')).toEqual([c])
    expect(await found('error_code=two&state=waiting')).toEqual([b])
    expect(await found('error_code=three')).toEqual([])
  })

  it.each([
    ['state=gone', '/state invalid_value'],
    ['since=yesterday', '/since invalid_value'],
    ['since=0000-01-01T00:00:00Z', '/since invalid_value'],
    ['topic=a&topic=b', '/topic repeated'],
    ['limit=0', '/limit out_of_range'],
  ])('?%s is refused', async (query, problem) => {
    const { status, body } = await call('GET', `${path}?${query}`)
    expect([status, problemsIn(body)]).toEqual([422, [problem]])
  })

  it('few of very many are found by an index', async () => {
    await running.database.query(
      `INSERT INTO dead_letters (dead_letter_id, service, stage, source_topic, source_partition, source_offset, value_omitted,
         headers, error_code, message, attempts, first_failed_at, last_failed_at, state)
       SELECT 'dlt_' || n, 's', 's', 't', 0, n, false, '[]', CASE n WHEN 1 THEN 'rare' ELSE 'usual' END, 'm', 1, now(), now(),
         CASE n WHEN 2 THEN 'waiting' WHEN 3 THEN 'discarded' ELSE 'replayed' END FROM generate_series(1, 5000) AS n`,
    )
    await running.database.query('ANALYZE dead_letters')
    const explain = { query: (text: string, values?: unknown[]) => running.database.query(`EXPLAIN ${text}`, values) }
    const none = { errorCode: undefined, service: undefined, topic: undefined, since: undefined, state: undefined }
    const plan = async (filter: object) =>
      JSON.stringify(await listDeadLetters(explain as never, { ...none, ...filter }, { limit: 50, after: undefined }))
    expect(await plan({ state: 'waiting' })).toMatch(/dead_letters_(by_state|waiting)/)
    expect(await plan({ state: 'discarded' })).toContain('dead_letters_by_state')
    expect(await plan({ errorCode: 'rare' })).toContain('dead_letters_by_error_code')
  })
})

describe('a single one', () => {
  it('with its record, as base64 and as text where it is text', async () => {
    const headers = [
      { name: 'traceparent', value: base64('00-1') },
      { name: 'raw', value: '/wA=' },
      { name: 'none', value: null },
    ]
    const [id] = await add(letter({ offset: 77, key: base64('ä'), headers }, { value: base64('{"a":\0') }))
    const { status, body } = await call('GET', `${path}/${id}`)
    expect(status).toBe(200)
    expect(body).toEqual({
      dead_letter_id: id,
      state: 'waiting',
      service: 'evaluator',
      stage: 'evaluate',
      error: { code: 'not_json', message: 'unexpected end' },
      attempts: 1,
      first_failed_at: '2026-01-02T03:04:05.000Z',
      last_failed_at: '2026-01-02T03:04:06.000Z',
      source: { topic: 'alerts.new', partition: 3, offset: 77, timestamp: '2026-01-02T03:04:05.000Z' },
      key: { base64: base64('ä'), text: 'ä' },
      headers: [
        { name: 'traceparent', value: { base64: base64('00-1'), text: '00-1' } },
        { name: 'raw', value: { base64: '/wA=', text: null } },
        { name: 'none', value: null },
      ],
      value: { base64: base64('{"a":\0'), text: '{"a":\0' },
      value_bytes: 6,
      value_omitted: false,
      settled_at: null,
      settled_by: null,
    })
    const { key: _k, headers: _h, value: _v, ...listed } = body
    expect((await call('GET', path)).body.items).toEqual([listed])
  })

  it('404 for one that is not there, whatever is asked of it', async () => {
    expect((await call('GET', `${path}/dlt_none`)).status).toBe(404)
    for (const action of ['replay', 'discard']) {
      const { status, body } = await call('POST', `${path}/dlt_none/${action}`)
      expect([status, body.error_code]).toEqual([404, 'not_found'])
    }
  })
})

describe('the report', () => {
  const day = (before: number) => new Date(Date.now() - before * 86_400_000).toISOString().slice(0, 10)

  it('counts by the UTC day of the first failure and by error code', async () => {
    const on = (date: string, code: string) =>
      letter({}, { ...failed(code), first_failed_at: `${date}T23:59:59.999Z`, last_failed_at: `${date}T23:59:59.999Z` })
    const [first] = await add(
      on(day(1), 'one'),
      on(day(1), 'two'),
      on(day(1), 'two'),
      on(day(2), 'one'),
      letter({}, { ...failed('one'), first_failed_at: `${day(1)}T01:00:00+03:00` }),
      on(day(9), 'old'),
    )
    await call('POST', `${path}/${first}/discard`)
    const { status, body } = await call('GET', `${path}/report?days=3`)
    expect([status, body]).toEqual([
      200,
      {
        days: 3,
        items: [
          { day: day(1), error_code: 'two', letters: 2, waiting: 2 },
          { day: day(1), error_code: 'one', letters: 1, waiting: 0 },
          { day: day(2), error_code: 'one', letters: 2, waiting: 2 },
        ],
      },
    ])
    expect((await call('GET', `${path}/report`)).body.days).toBe(7)
    const refused = await call('GET', `${path}/report?days=0`)
    expect([refused.status, problemsIn(refused.body)]).toEqual([422, ['/days out_of_range']])
  })
})

it('needs a key', async () => {
  expect((await fetch(running.service.url + path)).status).toBe(401)
})
