import { describe, expect, it } from 'vitest'
import { etagOf, requireMatch } from './etag.ts'

const attempt = (ifMatch: string | undefined, version: number) => () =>
  requireMatch(ifMatch === undefined ? {} : { 'if-match': ifMatch }, version)

describe('requireMatch', () => {
  it('spells a version as a strong ETag', () => {
    expect(etagOf(3)).toBe('"3"')
  })

  it.each([undefined, '*', ' * ', '"3"', '"2", "3"'])('lets %s edit version 3', ifMatch => {
    expect(attempt(ifMatch, 3)).not.toThrow()
  })

  it.each(['"2"', 'W/"3"', '"33"', '"1","2"', '""'])(
    'refuses %s for version 3 as stale, and says what is current',
    ifMatch => {
      expect(attempt(ifMatch, 3)).toThrow(expect.objectContaining({ code: 'stale', details: { current_etag: '"3"' } }))
    },
  )

  it.each(['3', "'3'", '"3', '"3" "4"', ''])('refuses %s as no ETag at all', ifMatch => {
    expect(attempt(ifMatch, 3)).toThrow(expect.objectContaining({ code: 'malformed' }))
  })
})
