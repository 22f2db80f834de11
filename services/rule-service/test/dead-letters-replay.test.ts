import type { DeadLetter } from '@tocsin/contracts/dead-letter'
import { createKafka } from '@tocsin/kafka/client'
import { createProducer, type Producer } from '@tocsin/kafka/producer'
import { eventually } from '@tocsin/testkit/eventually'
import { testKafka } from '@tocsin/testkit/test-kafka'
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { Settler } from '../src/dead-letters-settle.ts'
import { addLetters, base64, failed, idsOf, letter, recordsOf } from './letters.ts'
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

const kafka = () => testKafka(running.environment.KAFKA_TOPIC_PREFIX!)
const topic = (name: string) => `${running.environment.KAFKA_TOPIC_PREFIX}${name}`
const add = (...letters: DeadLetter[]) => addLetters(running, letters)
const ours = (source: Partial<DeadLetter['source']> = {}, more: Partial<DeadLetter> = {}) =>
  letter({ topic: topic('alerts.new'), ...source }, more)
const stateOf = async (id: string) => (await call('GET', `${path}/${id}`)).body.state

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
