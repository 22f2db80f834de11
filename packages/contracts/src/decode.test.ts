import { describe, expect, it } from 'vitest'
import { decodeMessage, InvalidMessage } from './decode.ts'
import { alertMessageSchema, matchSchema } from './messages.ts'

const bytes = (text: string) => new TextEncoder().encode(text)
const plain = { alert_id: 'a1', severity: 'HIGH', source: 'api', name: 'timeout' }

const nested = (levels: number) =>
  JSON.stringify({ ...plain, context: 0 }).replace(
    '"context":0',
    `"context":${'{"a":'.repeat(levels)}0${'}'.repeat(levels)}`,
  )

describe('decodeMessage', () => {
  it('takes nesting of 200 levels', () => {
    expect(decodeMessage(alertMessageSchema, bytes(nested(200)))).toMatchObject(plain)
  })

  it("takes another client's plain alert, without schema_version, time or context", () => {
    expect(decodeMessage(alertMessageSchema, bytes(JSON.stringify(plain)))).toEqual({
      ...plain,
      schema_version: 1,
      context: {},
      status: 'firing',
    })
  })

  it('drops members that it does not know, so that producers may be ahead of us', () => {
    const decoded = decodeMessage(alertMessageSchema, bytes(JSON.stringify({ ...plain, region: 'eu' })))
    expect(decoded).not.toHaveProperty('region')
  })

  it('keeps a context as it is, a member called __proto__ included', () => {
    const text = `{"alert_id":"a1","severity":"LOW","source":"s","name":"n","context":{"__proto__":{"x":1},"deep":[1,{"y":null}]}}`
    const { context } = decodeMessage(alertMessageSchema, bytes(text))
    expect(Object.keys(context)).toEqual(['__proto__', 'deep'])
    expect(Object.getPrototypeOf(context)).toBe(Object.prototype)
  })

  it.each([
    ['no value', null, 'not_json'],
    ['half a document', bytes('{"alert_id":'), 'not_json'],
    ['broken UTF-8', new Uint8Array([0x22, 0xff, 0x22]), 'not_json'],
    ['an array', bytes('[]'), 'not_the_schema'],
    ['no alert_id', bytes(JSON.stringify({ ...plain, alert_id: undefined })), 'not_the_schema'],
    ['an unknown severity', bytes(JSON.stringify({ ...plain, severity: 'high' })), 'not_the_schema'],
    ['a context that is an array', bytes(JSON.stringify({ ...plain, context: [] })), 'not_the_schema'],
    ['an id that Postgres cannot keep', bytes(JSON.stringify({ ...plain, alert_id: 'a\0' })), 'not_the_schema'],
    ['an id with half a character', bytes(JSON.stringify({ ...plain, alert_id: 'a\ud800' })), 'not_the_schema'],
    ['nesting that nobody can write again', bytes(nested(201)), 'not_the_schema'],
    ['nesting of 100,000 levels', bytes(nested(100_000)), 'not_the_schema'],
    ['a version from the future', bytes(JSON.stringify({ ...plain, schema_version: 2 })), 'not_the_schema'],
  ])('refuses %s and says why', (_, value, code) => {
    const refuse = () => decodeMessage(alertMessageSchema, value)
    expect(refuse).toThrow(InvalidMessage)
    expect(refuse).toThrow(expect.objectContaining({ code }))
  })

  it('names every problem with its place', () => {
    expect(() => decodeMessage(matchSchema, bytes('{"schema_version":1,"teams":[{"team_id":7,"rules":[]}]}'))).toThrow(
      /\/teams\/0\/team_id .*\/teams\/0\/rules .*/s,
    )
  })
})
