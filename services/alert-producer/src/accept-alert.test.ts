import { alertMessageSchema } from '@tocsin/contracts/messages'
import { describe, expect, it } from 'vitest'
import { acceptAlert, maxAlertBytes, type RejectedAlert } from './accept-alert.ts'

const plain = { severity: 'HIGH', source: 'api', name: 'timeout' }

function accepted(value: unknown) {
  const result = acceptAlert({ value }, '')
  if (!('record' in result)) throw new Error(JSON.stringify(result))
  return result
}

describe('acceptAlert', () => {
  it('adds what a producer may leave out', () => {
    const { alert } = accepted(plain)
    expect(alert).toEqual({
      ...plain,
      alert_id: expect.stringMatching(/^alt_/),
      event_ts: expect.stringMatching(/^\d{4}-.*Z$/),
      status: 'firing',
      context: {},
    })
    expect(Math.abs(Date.now() - Date.parse(alert.event_ts))).toBeLessThan(1_000)
  })

  it('keeps what was given, and its record is what the evaluator reads', () => {
    const given = {
      ...plain,
      alert_id: 'a-1',
      event_ts: '2026-01-02T03:04:05.678901+02:00',
      dedup_key: 'db-1',
      status: 'resolved',
      context: { deep: [{ n: 1.5, text: '😀', none: null }], 'odd/name': true },
    }
    const { alert, record } = accepted(given)
    expect(alert).toEqual(given)
    expect(alertMessageSchema.parse(JSON.parse(record))).toEqual({ schema_version: 1, ...given })
  })

  it('takes any text in the context, which is kept as JSON', () => {
    const context = JSON.parse('{"a\\u0000":"\\u0000","b":"\\ud83d","__proto__":{"x":1}}')
    const { record } = accepted({ ...plain, context })
    expect(Object.entries(JSON.parse(record).context)).toEqual(Object.entries(context))
  })

  it.each<[string, unknown, string[]]>([
    ['nothing', null, ['/3 invalid_type']],
    ['an array', [], ['/3 invalid_type']],
    ['no severity', { source: 'a', name: 'n' }, ['/3/severity invalid_value']],
    ['an unknown member', { ...plain, sevrity: 'LOW' }, ['/3/sevrity unknown_field']],
    ['a context that is text', { ...plain, context: '{}' }, ['/3/context custom']],
    ['a problem that Postgres cannot name', { ...plain, dedup_key: 'a\ud800' }, ['/3/dedup_key bad_text']],
    ['a source that Postgres cannot find', { ...plain, source: 'a\0' }, ['/3/source bad_text']],
    ['a day without time', { ...plain, event_ts: '2026-01-02' }, ['/3/event_ts invalid_format']],
    ['an id that Postgres cannot keep', { ...plain, alert_id: 'a\0' }, ['/3/alert_id bad_text']],
    ['an empty id', { ...plain, alert_id: '' }, ['/3/alert_id too_small']],
    [
      'every problem at once',
      { severity: 'high', source: '', name: 1 },
      ['/3/severity invalid_value', '/3/source too_small', '/3/name invalid_type'],
    ],
  ])('rejects %s with its place in the request', (_, value, problems) => {
    const result = acceptAlert({ value }, '/3')
    expect(result).toMatchObject({ error_code: 'invalid' })
    expect('problems' in result && result.problems.map(({ pointer, code }) => `${pointer} ${code}`)).toEqual(problems)
  })

  it('rejects nesting that would run out of stack further down', () => {
    const context = JSON.parse(`{"a":${'['.repeat(50_000)}${']'.repeat(50_000)}}`)
    expect(acceptAlert({ value: { ...plain, context } }, '')).toMatchObject({
      error_code: 'invalid',
      problems: [{ code: 'too_deep', pointer: '/context' }],
    })
  })

  it('rejects an alert that no record could hold together with its rules', () => {
    const size = (bytes: number) => acceptAlert({ value: { ...plain, context: { x: 'é'.repeat(bytes / 2) } } }, '')
    expect(size(maxAlertBytes - 1_000)).toHaveProperty('record')
    expect(size(maxAlertBytes)).toMatchObject({
      error_code: 'too_large',
      problems: [{ pointer: '', code: 'too_large' }],
    })
  })

  it('tells the id of a rejected alert, so that its sender knows which one it was', () => {
    expect(acceptAlert({ value: { alert_id: 'a-1' } }, '')).toMatchObject({ alert_id: 'a-1' })
    expect(acceptAlert({ value: { alert_id: 7 } }, '')).not.toHaveProperty('alert_id')
  })

  it('names ten problems of an alert at most: of ten thousand alerts in a request nobody reads more', () => {
    const unknown = Object.fromEntries(Array.from({ length: 80 }, (_, index) => [`x${index}`, 0]))
    const { problems } = acceptAlert({ value: { ...plain, ...unknown } }, '/3') as RejectedAlert
    expect(problems).toHaveLength(11)
    expect(problems.at(-1)).toMatchObject({ pointer: '/3', code: 'more_problems' })
  })
})
