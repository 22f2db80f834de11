import { describe, expect, it } from 'vitest'
import { pageOf, pageRequest, single } from './paging.ts'

const rows = ['a', 'b', 'c', 'd', 'e']
const shape = { key: (row: string) => row, item: (row: string) => ({ row }) }

/** What a store does: rows behind the key, one more than asked for. */
function page(query: Record<string, string>, list = 'letters') {
  const request = pageRequest(query, list)
  const after = request.after
  const found = rows.filter(row => after === undefined || row > after).slice(0, request.limit + 1)
  return pageOf(found, request, list, shape)
}

describe('paging', () => {
  it('goes through a list once, without gaps or repeats, and ends with null', () => {
    const seen: string[] = []
    let cursor: string | null = null
    do {
      const { items, next_cursor } = page({ limit: '2', ...(cursor === null ? {} : { cursor }) })
      seen.push(...items.map(item => item.row))
      cursor = next_cursor
    } while (cursor !== null)
    expect(seen).toEqual(rows)
  })

  it('gives no cursor when the last page is exactly full', () => {
    expect(page({ limit: '5' }).next_cursor).toBeNull()
  })

  it('takes 50 unless told', () => {
    expect(pageRequest({}, 'letters')).toEqual({ limit: 50, after: undefined })
  })

  it.each(['0', '201', '-1', '1.5', 'ten', '', '99999999999'])('refuses limit=%s with its place', limit => {
    expect(() => pageRequest({ limit }, 'letters')).toThrow(
      expect.objectContaining({
        code: 'invalid',
        details: { problems: [expect.objectContaining({ pointer: '/limit', code: 'out_of_range' })] },
      }),
    )
  })

  const otherList = page({ limit: '1' }, 'numbers').next_cursor as string
  it.each([
    '',
    'x',
    '!!',
    Buffer.from('"a"').toString('base64url'),
    Buffer.from('["letters",1]').toString('base64url'),
    otherList,
  ])('refuses the cursor %s, which this list never gave out', cursor => {
    expect(() => pageRequest({ cursor }, 'letters')).toThrow(expect.objectContaining({ code: 'malformed' }))
  })

  it('refuses a filter that is given twice instead of picking one', () => {
    expect(() => single({ status: ['ready', 'failed'] }, 'status')).toThrow(
      expect.objectContaining({ code: 'invalid' }),
    )
  })
})
