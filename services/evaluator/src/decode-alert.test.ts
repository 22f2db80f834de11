import type { KafkaRecord } from '@tocsin/kafka/source'
import { describe, expect, test } from 'vitest'
import { decodeAlert } from './decode-alert.ts'

const bare = { alert_id: 'a1', severity: 'HIGH', source: 'api', name: 'timeout' }

describe('an alert of another client', () => {
  test('needs no version, no header and no time of its own: the record has one', () => {
    const { alert, headers } = decodeAlert(record(bare, { timestamp: Date.parse('2026-03-01T12:00:00Z') }))
    expect(alert).toEqual({ ...bare, context: {}, status: 'firing', event_ts: '2026-03-01T12:00:00.000Z' })
    expect(headers).toEqual({ origin: 'kafka' })
  })

  test('keeps the time that it states', () => {
    const event_ts = '2026-03-01T13:00:00+01:00'
    expect(decodeAlert(record({ ...bare, event_ts })).alert.event_ts).toBe(event_ts)
  })

  test('without its id is refused, with the reason', () => {
    expect(() => decodeAlert(record({ ...bare, alert_id: undefined }))).toThrow('/alert_id')
  })

  test.each([-1, 0, 9e15, 1e18])('whose record claims the impossible time %d gets the present one', timestamp => {
    const before = Date.now()
    const { event_ts } = decodeAlert(record(bare, { timestamp })).alert
    expect(Date.parse(event_ts)).toBeGreaterThanOrEqual(before)
    expect(Date.parse(event_ts)).toBeLessThanOrEqual(Date.now())
  })
})

describe('an alert of our own', () => {
  test('passes its trace and origin on', () => {
    const headers = [
      { name: 'schema_version', value: Buffer.from('1') },
      { name: 'traceparent', value: Buffer.from('00-aa-bb-01') },
      { name: 'origin', value: Buffer.from('http') },
    ]
    expect(decodeAlert(record({ ...bare, schema_version: 1 }, { headers })).headers).toEqual({
      traceparent: '00-aa-bb-01',
      origin: 'http',
    })
  })

  test('of a version that this program does not know is refused rather than guessed at', () => {
    expect(() => decodeAlert(record({ ...bare, schema_version: 2 }))).toThrow('/schema_version')
  })
})

function record(value: object, more: Partial<KafkaRecord> = {}): KafkaRecord {
  return {
    topic: 'alerts.new',
    partition: 0,
    offset: 0,
    timestamp: 1,
    key: null,
    value: Buffer.from(JSON.stringify(value)),
    headers: [],
    ...more,
  }
}
