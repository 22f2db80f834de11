import type { DeadLetter } from '@tocsin/contracts/dead-letter'
import { createKafka } from '@tocsin/kafka/client'
import { createProducer, type Producer } from '@tocsin/kafka/producer'
import { eventually } from '@tocsin/testkit/eventually'
import { testKafka } from '@tocsin/testkit/test-kafka'
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { Settler } from '../src/dead-letters-settle.ts'
import { listDeadLetters, upsertDeadLetters } from '../src/dead-letters-store.ts'
import { base64, letter, recordsOf } from './letters.ts'
import { problemsIn, type RunningRuleService, startRuleService } from './running-rule-service.ts'

let running: RunningRuleService
const path = '/api/v1/dead-letters'
const call: RunningRuleService['call'] = (...request) => running.call(...request)
const kafka = () => testKafka(running.environment.KAFKA_TOPIC_PREFIX!)
const topic = (name: string) => `${running.environment.KAFKA_TOPIC_PREFIX}${name}`

beforeAll(async () => {
  running = await startRuleService()
  await running.service.running.started
})
afterAll(() => running[Symbol.asyncDispose]())
beforeEach(() => running.database.query('DELETE FROM dead_letters'))

/** One after the other, so that their ids have their order. Gives the ids. */
async function add(...letters: DeadLetter[]): Promise<string[]> {
  const ids: string[] = []
  for (const one of letters) {
    await upsertDeadLetters(running.database, [one])
    await new Promise(resolve => setTimeout(resolve, 2))
    ids.push(idsOf((await call('GET', path)).body)[0]!)
  }
  return ids
}
const idsOf = (body: { items: { dead_letter_id: string }[] }) => body.items.map(item => item.dead_letter_id)
const ours = (source: Partial<DeadLetter['source']> = {}, more: Partial<DeadLetter> = {}) =>
  letter({ topic: topic('alerts.new'), ...source }, more)
const stateOf = async (id: string) => (await call('GET', `${path}/${id}`)).body.state
const failed = (code: string) => ({ error: { code, message: 'x' } })

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

describe('replay', () => {
  it('puts the very bytes, key and headers back to the topic that they came from', async () => {
    const raw = Buffer.from([0, 0xff, 0x0a])
    const headers = [
      { name: 'b', value: base64(raw) },
      { name: 'a', value: base64('1') },
      { name: 'a', value: base64('2') },
    ]
    const [whole, bare] = await add(
      ours({ key: base64(raw), headers }, { value: base64(raw) }),
      ours({ key: null, topic: topic('rule.changed') }, { value: null }),
    )
    const alerts = recordsOf(kafka(), topic('alerts.new'))
    const changes = recordsOf(kafka(), topic('rule.changed'))
    const { status, body } = await call('POST', `${path}/${whole}/replay`)
    expect(status).toBe(200)
    expect(body).toMatchObject({ dead_letter_id: whole, state: 'replayed', settled_by: 'key_test' })
    expect(Math.abs(Date.parse(body.settled_at) - Date.now())).toBeLessThan(60_000)
    expect((await call('POST', `${path}/${bare}/replay`)).status).toBe(200)
    await eventually(() => expect([alerts.length, changes.length]).toEqual([1, 1]))
    expect(alerts[0]).toMatchObject({
      key: raw,
      value: raw,
      headers: [
        { name: 'b', value: raw },
        { name: 'a', value: Buffer.from('1') },
        { name: 'a', value: Buffer.from('2') },
      ],
    })
    expect(changes[0]).toMatchObject({ key: null, value: null, headers: [] })
  })

  it('a header without a value comes back as an empty one', async () => {
    const [id] = await add(ours({ topic: topic('notifications.ready'), headers: [{ name: 'none', value: null }] }))
    const records = recordsOf(kafka(), topic('notifications.ready'))
    expect((await call('POST', `${path}/${id}/replay`)).status).toBe(200)
    await eventually(() => expect(records[0]?.headers).toEqual([{ name: 'none', value: Buffer.alloc(0) }]))
  })

  it.each([
    ['value_omitted', () => ours({}, { value: null, value_omitted: true })],
    ['foreign_topic', () => letter({ topic: 'alerts.new' })],
    ['foreign_topic', () => letter({ topic: topic('dead.letters') })],
    ['foreign_topic', () => letter({ topic: topic('somebody.elses') })],
  ])('is refused with the reason (%s), and the letter waits on', async (reason, make) => {
    const [id] = await add(make())
    const { status, body } = await call('POST', `${path}/${id}/replay`)
    expect([status, body.error_code, body.details]).toEqual([409, 'conflict', { reason }])
    expect(body.message).toContain(id)
    expect(await stateOf(id!)).toBe('waiting')
    expect((await call('POST', `${path}/${id}/discard`)).status).toBe(200)
  })

  it('and discard are for letters that wait: 409 with what became of it', async () => {
    const [gone, back] = await add(ours(), ours())
    await call('POST', `${path}/${gone}/discard`)
    await call('POST', `${path}/${back}/replay`)
    for (const action of ['replay', 'discard']) {
      for (const [id, reason] of [
        [gone, 'discarded'],
        [back, 'replayed'],
      ]) {
        const { status, body } = await call('POST', `${path}/${id}/${action}`)
        expect([status, body.details]).toEqual([409, { reason }])
      }
    }
  })

  it('asked for twice at once is done once', async () => {
    const [id] = await add(ours())
    const answers = await Promise.all([1, 2, 3].map(() => call('POST', `${path}/${id}/replay`)))
    expect(answers.map(answer => answer.status).toSorted()).toEqual([200, 409, 409])
  })

  it('that Kafka does not acknowledge is 503, and the letter waits on', async () => {
    const [id] = await add(ours())
    const settings = { KAFKA_BROKERS: ['127.0.0.1:1'], KAFKA_TOPIC_PREFIX: running.environment.KAFKA_TOPIC_PREFIX! }
    const away = createKafka({ ...settings, KAFKA_TLS: false } as never, { clientId: 'test', log: kafka().log })
    const producer = createProducer(away, { deadlineMs: 300 })
    onTestFinished(() => producer.close())
    const settler = new Settler({ database: running.database, producer, kafka: away })
    await expect(settler.replay(id!, 'key_test')).rejects.toMatchObject({ retryable: true })
    const filter = { errorCode: 'not_json', service: undefined, topic: undefined, since: undefined }
    await expect(settler.replayAll(filter, undefined, 'key_test')).rejects.toMatchObject({ retryable: true })
    expect(await stateOf(id!)).toBe('waiting')
  })

  it('published and then not marked leaves a letter that waits, and that a second replay publishes again', async () => {
    const [id] = await add(ours())
    let published = 0
    const producer: Producer = {
      send: async () => {
        published++
        // As a crash of this process or of Postgres does, right behind the acknowledgement.
        const holders = `pid <> pg_backend_pid() AND datname = current_database() AND state = 'idle in transaction'`
        if (published === 1) {
          await running.database.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE ${holders}`)
        }
        return []
      },
      close: async () => {},
    }
    const settler = new Settler({ database: running.database, producer, kafka: kafka() })
    await expect(settler.replay(id!, 'key_test')).rejects.toMatchObject({ code: 'postgres_unavailable' })
    expect(await stateOf(id!)).toBe('waiting')
    expect(await settler.replay(id!, 'key_test')).toMatchObject({ state: 'replayed' })
    expect(published).toBe(2)
  })

  it('of a record that Kafka refuses is 409; of many, the others are replayed', async () => {
    const large = base64(Buffer.alloc(1_500_000))
    const [good, tooLarge] = await add(ours({}, failed('big')), ours({}, { ...failed('big'), value: large }))
    const { status, body } = await call('POST', `${path}/${tooLarge}/replay`)
    expect([status, body.details]).toEqual([409, { reason: 'kafka_refuses' }])
    const all = await call('POST', `${path}/replay`, { error_code: 'big' })
    expect(all.body).toEqual({ settled: 1, skipped: 1, more: false, up_to: tooLarge })
    expect([await stateOf(good!), await stateOf(tooLarge!)]).toEqual(['replayed', 'waiting'])
  })
})

describe('many at once', () => {
  it('those that match are replayed, what cannot be is told and waits on, and the others are left alone', async () => {
    const [a, other, omitted, foreign, gone, b] = await add(
      ours({}, failed('one')),
      ours({}, failed('two')),
      ours({}, { ...failed('one'), value: null, value_omitted: true }),
      letter({ topic: 'foreign' }, failed('one')),
      ours({}, failed('one')),
      ours({}, failed('one')),
    )
    await call('POST', `${path}/${gone}/discard`)
    const { status, body } = await call('POST', `${path}/replay`, { error_code: 'one' })
    expect([status, body]).toEqual([200, { settled: 2, skipped: 2, more: false, up_to: b }])
    const states = await Promise.all([a, other, omitted, foreign, gone, b].map(id => stateOf(id!)))
    expect(states).toEqual(['replayed', 'waiting', 'waiting', 'waiting', 'discarded', 'replayed'])
    expect((await call('POST', `${path}/discard`, { all: true })).body).toMatchObject({ settled: 3, skipped: 0 })
    expect(idsOf((await call('GET', `${path}?state=waiting`)).body)).toEqual([])
  })

  it('by service, topic and time too', async () => {
    await add(
      ours({}, { service: 'sender' }),
      ours({ topic: topic('alerts.matched') }),
      ours({}, { last_failed_at: '2026-03-01T00:00:00Z' }),
    )
    for (const filter of [
      { service: 'sender' },
      { topic: topic('alerts.matched') },
      { since: '2026-02-01T00:00:00Z' },
      { since: '2026-02-01T00:00:00Z', service: 'evaluator' },
    ]) {
      const { body } = await call('POST', `${path}/discard`, filter)
      expect(body.settled, JSON.stringify(filter)).toBe('service' in filter && 'since' in filter ? 0 : 1)
    }
  })

  it.each([
    [{}, ' custom'],
    [{ up_to: 'dlt_1' }, ' custom'],
    [{ all: true, service: 'sender' }, ' custom'],
    [{ all: false }, '/all invalid_value'],
    [{ state: 'discarded', all: true }, ' unknown_field'],
    [{ since: 'yesterday' }, '/since invalid_format'],
    [{ since: '0000-01-01T00:00:00Z' }, '/since invalid_value'],
    [{ service: 'a\0' }, '/service bad_text'],
  ])('%o is refused, and nothing is done', async (body, problem) => {
    const [id] = await add(ours())
    for (const action of ['replay', 'discard']) {
      const answer = await call('POST', `${path}/${action}`, body)
      expect(answer.status).toBe(422)
      expect(problemsIn(answer.body)[0]).toContain(problem)
    }
    expect(await stateOf(id!)).toBe('waiting')
  })

  it('there being none is no mistake', async () => {
    const { status, body } = await call('POST', `${path}/replay`, { all: true })
    expect([status, body]).toEqual([200, { settled: 0, skipped: 0, more: false, up_to: null }])
  })

  it('a call does a part, in the order in which they came; the next goes on, and takes nothing that came meanwhile', async () => {
    const ids = await add(ours(), ours(), ours())
    const sent: unknown[] = []
    const producer: Producer = {
      send: async messages => {
        sent.push(...messages.map(({ value }) => String(value)))
        return []
      },
      close: async () => {},
    }
    const settler = new Settler({ database: running.database, producer, kafka: kafka(), callRows: 2 })
    const every = { errorCode: undefined, service: undefined, topic: undefined, since: undefined }
    const first = await settler.replayAll(every, undefined, 'key_test')
    expect(first).toEqual({ settled: 2, skipped: 0, more: true, up_to: ids[2] })
    const [late] = await add(ours())
    expect(await settler.replayAll(every, first.up_to!, 'key_test')).toMatchObject({ settled: 1, more: false })
    expect(await stateOf(late!)).toBe('waiting')
    expect(sent).toHaveLength(3)
  })

  it('values that are large together go in several batches', async () => {
    const value = base64(Buffer.alloc(900_000))
    await add(...Array.from({ length: 6 }, () => ours({}, { value })))
    const sizes: number[] = []
    const producer: Producer = {
      send: async messages => {
        sizes.push(messages.length)
        return []
      },
      close: async () => {},
    }
    const settler = new Settler({ database: running.database, producer, kafka: kafka() })
    const every = { errorCode: undefined, service: undefined, topic: undefined, since: undefined }
    expect(await settler.replayAll(every, undefined, 'key_test')).toMatchObject({ settled: 6, more: false })
    expect(sizes).toEqual([4, 2])
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
