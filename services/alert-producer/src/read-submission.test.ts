import { describe, expect, it } from 'vitest'
import { maxAlerts, readSubmission } from './read-submission.ts'

const read = (mediaType: string, text: string) => readSubmission({ mediaType, bytes: Buffer.from(text) })
const ndjson = (text: string) => read('application/x-ndjson', text).items

describe('readSubmission', () => {
  it('tells one alert from an array of one', () => {
    expect(read('application/json', '{"a":1}')).toEqual({ items: [{ value: { a: 1 } }], single: true })
    expect(read('application/json', '[{"a":1}]')).toEqual({ items: [{ value: { a: 1 } }], single: false })
  })

  it('reads a line at a time, with any line end and without a last one; empty lines are nothing', () => {
    expect(ndjson('{"a":1}\r\n\n  \n{"a":2}')).toEqual([{ value: { a: 1 } }, { value: { a: 2 } }])
    expect(ndjson('\n')).toEqual([])
  })

  it('a line that is no JSON spoils that line alone, and is told by its number', () => {
    const [first, second, third] = ndjson('{"a":1}\n\n{"a":\n{"a":3}\n')
    expect([first, third]).toEqual([{ value: { a: 1 } }, { value: { a: 3 } }])
    expect(second).toMatchObject({ error_code: 'malformed', problem: { message: expect.stringContaining('line 3') } })
  })

  it('refuses a body that is no JSON, and more alerts than one request may bring', () => {
    expect(() => read('application/json', '{"a":1}\n{"a":2}')).toThrow(expect.objectContaining({ code: 'malformed' }))
    const tooMany = maxAlerts + 1
    const refused = expect.objectContaining({ code: 'too_large', details: { limit_alerts: maxAlerts } })
    expect(() => read('application/json', `[${'0,'.repeat(maxAlerts)}0]`)).toThrow(refused)
    expect(() => ndjson('0\n'.repeat(tooMany))).toThrow(refused)
    expect(ndjson('0\n'.repeat(maxAlerts))).toHaveLength(maxAlerts)
  })
})
