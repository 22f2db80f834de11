import { errorBodySchema } from '@tocsin/contracts/errors'
import type { IngestResult } from '@tocsin/contracts/http'
import { newId } from '@tocsin/contracts/ids'
import { eventually } from '@tocsin/testkit/eventually'
import { type ReadRecord, readTopic, type TopicReader } from '@tocsin/testkit/topic-reader'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type RunningAlertProducer, startAlertProducer } from './running-alert-producer.ts'

let running: RunningAlertProducer
let reader: TopicReader
beforeAll(async () => {
  running = await startAlertProducer({ BODY_LIMIT_BYTES: '2000000' })
  reader = await readTopic(running.topic)
  await running.service.running.started
})
afterAll(async () => {
  await reader[Symbol.asyncDispose]()
  await running[Symbol.asyncDispose]()
})

const path = '/api/v1/alerts'
const plain = { severity: 'HIGH', source: 'api', name: 'timeout' }
const ndjson = { 'content-type': 'application/x-ndjson' }
const send = (body: unknown, headers?: Record<string, string>) => running.call('POST', path, body, headers)
const statuses = (body: { results: IngestResult[] }) => body.results.map(result => result.status)

/** The record that an answer speaks of, read back by another client. */
function recordOf(result: { partition: number; offset: string }): Promise<ReadRecord> {
  return eventually(() => {
    const found = reader.records.find(
      ({ partition, offset }) => partition === result.partition && String(offset) === result.offset,
    )
    if (found === undefined) throw new Error(`no record at ${result.partition}/${result.offset} yet`)
    return found
  })
}

describe('accepted', () => {
  it('one alert: 202 with its id and place, and there it is', async () => {
    const { status, body } = await send({ ...plain, context: { host: 'a' } })
    expect(status).toBe(202)
    expect(body).toEqual({
      results: [
        {
          status: 'accepted',
          alert_id: expect.stringMatching(/^alt_[0-9a-f]{32}$/),
          topic: 'alerts.new',
          partition: expect.any(Number),
          offset: expect.stringMatching(/^\d+$/),
        },
      ],
    })
    const record = await recordOf(body.results[0])
    expect(JSON.parse(record.value)).toEqual({
      schema_version: 1,
      alert_id: body.results[0].alert_id,
      ...plain,
      context: { host: 'a' },
      event_ts: expect.any(String),
      status: 'firing',
    })
    expect(record).toMatchObject({ key: body.results[0].alert_id, headers: { schema_version: '1', origin: 'http' } })
  })

  it('a given alert_id is kept and echoed; dedup_key is the key, so that one problem stays in order', async () => {
    const dedup_key = newId('alert')
    const ids = Array.from({ length: 300 }, (_, n) => `${dedup_key}-${n}`)
    const { body } = await send(ids.map(alert_id => ({ ...plain, alert_id, dedup_key })))
    expect(body.results.map((result: { alert_id: string }) => result.alert_id)).toEqual(ids)
    expect(new Set(body.results.map((result: { partition: number }) => result.partition)).size).toBe(1)
    const offsets = body.results.map((result: { offset: string }) => Number(result.offset))
    expect(offsets).toEqual([...offsets].sort((a, b) => a - b))
    expect((await recordOf(body.results[299])).key).toBe(dedup_key)
  })

  it('traceparent goes along', async () => {
    const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'
    const { body } = await send(plain, { traceparent })
    expect((await recordOf(body.results[0])).headers.traceparent).toBe(traceparent)
    const nonsense = await send(plain, { traceparent: 'x' })
    expect((await recordOf(nonsense.body.results[0])).headers).not.toHaveProperty('traceparent')
  })

  it('NDJSON: a result per line, in order, with the bad ones among them', async () => {
    const lines = [
      JSON.stringify(plain),
      '{"severity":',
      JSON.stringify({ ...plain, severity: 'high', alert_id: 'mine' }),
      '',
      JSON.stringify(plain),
    ]
    const { status, body } = await send(lines.join('\n'), ndjson)
    expect([status, statuses(body)]).toEqual([202, ['accepted', 'rejected', 'rejected', 'accepted']])
    expect(body.results[1]).toMatchObject({ error_code: 'malformed', problems: [{ pointer: '/1', code: 'malformed' }] })
    expect(body.results[2]).toMatchObject({
      alert_id: 'mine',
      error_code: 'invalid',
      problems: [{ pointer: '/2/severity' }],
    })
    await recordOf(body.results[3])
  })

  it('an array: the same', async () => {
    const { status, body } = await send([plain, 'x', { ...plain, more: 1 }])
    expect([status, statuses(body)]).toEqual([202, ['accepted', 'rejected', 'rejected']])
    expect(body.results[2].problems).toEqual([
      { pointer: '/2/more', code: 'unknown_field', message: expect.any(String) },
    ])
  })

  it('an alert_id twice in a request: two records, because downstream it is told once', async () => {
    const alert_id = newId('alert')
    const { body } = await send([
      { ...plain, alert_id },
      { ...plain, alert_id },
    ])
    expect(statuses(body)).toEqual(['accepted', 'accepted'])
    expect(body.results[0].offset).not.toBe(body.results[1].offset)
  })

  it('nothing at all is fine, and nothing', async () => {
    expect(await send([])).toMatchObject({ status: 202, body: { results: [] } })
    expect(await send('\n', ndjson)).toMatchObject({ status: 202, body: { results: [] } })
  })

  it('5,000 alerts in one request and 200 requests at once: every one at a place of its own', async () => {
    const many = Array.from({ length: 5_000 }, (_, n) => ({ ...plain, name: `many ${n}` }))
    const answers = await Promise.all([send(many), ...Array.from({ length: 200 }, () => send(plain))])
    const results = answers.flatMap(({ body }) => body.results)
    expect(results.every(result => result.status === 'accepted')).toBe(true)
    expect(new Set(results.map(result => `${result.partition}/${result.offset}`)).size).toBe(5_200)
    expect(JSON.parse((await recordOf(results[4_999])).value).name).toBe('many 4999')
  })

  it('is counted by outcome', async () => {
    const text = await (await fetch(`${running.service.url}/metrics`)).text()
    expect(text).toMatch(/tocsin_alerts_ingested_total\{outcome="accepted"\} \d+/)
    expect(text).toMatch(/tocsin_alerts_ingested_total\{outcome="rejected"\} \d+/)
  })
})

describe('refused, each in the one error shape', () => {
  async function expectError(answer: Promise<Awaited<ReturnType<typeof send>>>, status: number, code: string) {
    const { status: given, body, headers } = await answer
    expect([given, errorBodySchema.parse(body).error_code]).toEqual([status, code])
    expect(body.request_id).toBe(headers.get('x-request-id'))
    return body.details
  }

  it('422 for one that is wrong, with pointers into it', async () => {
    const details = await expectError(send({ ...plain, severity: 'high', source: '' }), 422, 'invalid')
    expect(details.problems.map((problem: { pointer: string }) => problem.pointer)).toEqual(['/severity', '/source'])
    await expectError(send('"text"'), 422, 'invalid')
  })

  it('422 when all of many are wrong, with the results as well', async () => {
    const details = await expectError(send([{}, 1]), 422, 'invalid')
    expect(statuses(details)).toEqual(['rejected', 'rejected'])
    expect(details.problems.map((problem: { pointer: string }) => problem.pointer)).toEqual([
      '/0/severity',
      '/0/source',
      '/0/name',
      '/1',
    ])
    expect(statuses(await expectError(send('{\n}\n', ndjson), 422, 'invalid'))).toHaveLength(2)
  })

  it('400 for a body that is no JSON or none at all', async () => {
    await expectError(send('{"severity":'), 400, 'malformed')
    await expectError(send(''), 400, 'malformed')
  })

  it('401 without a known key, whatever the body', async () => {
    for (const headers of [{ authorization: '' }, { authorization: 'Bearer tocsin_nobody' }]) {
      await expectError(send('{', headers), 401, 'unauthenticated')
    }
  })

  it('413 for a body, for more alerts than 10,000, and for an alert that is too large', async () => {
    await expectError(send(JSON.stringify([{ ...plain, context: { x: 'x'.repeat(2_000_000) } }])), 413, 'too_large')
    await expectError(send('0\n'.repeat(10_001), ndjson), 413, 'too_large')
    const large = { ...plain, context: { x: 'x'.repeat(600_000) } }
    await expectError(send(large), 413, 'too_large')
    const { status, body } = await send([plain, large])
    expect([status, statuses(body), body.results[1].error_code]).toEqual([202, ['accepted', 'rejected'], 'too_large'])
  })

  it('415 for another content type, 405 and 404 for what is not there', async () => {
    await expectError(
      send('a=b', { 'content-type': 'application/x-www-form-urlencoded' }),
      415,
      'unsupported_media_type',
    )
    await expectError(running.call('GET', path), 405, 'method_not_allowed')
    await expectError(running.call('GET', '/api/v1/teams'), 404, 'not_found')
  })
})
