import { describe, expect, it } from 'vitest'
import { problemsOfStoring } from './storable.ts'

const nested = (levels: number) => JSON.parse('['.repeat(levels) + ']'.repeat(levels))

describe('problemsOfStoring', () => {
  it('has nothing against any text that Postgres can keep', () => {
    expect(problemsOfStoring({ text: 'ä 😀 \u0001 \\u0000', list: [1, null, true, { a: {} }], __proto__: 1 })).toEqual(
      [],
    )
  })

  it.each([
    ['U+0000 in a value', { a: ['x', 'y\0'] }, '/a/1'],
    ['U+0000 in a name', { 'a\0': 1 }, '/a\0'],
    ['half a surrogate pair', { a: { b: '\ud83d' } }, '/a/b'],
    ['U+0000 below __proto__', JSON.parse('{"__proto__":{"x":"\\u0000"}}'), '/__proto__/x'],
  ])('names %s with its place', (_, value, pointer) => {
    expect(problemsOfStoring(value)).toEqual([expect.objectContaining({ pointer, code: 'bad_text' })])
  })

  it('refuses nesting that would run out of stack elsewhere, without running out itself', () => {
    expect(problemsOfStoring(nested(200))).toEqual([])
    expect(problemsOfStoring(nested(100_000))).toEqual([expect.objectContaining({ code: 'too_deep' })])
  })

  it('ends after some problems where each has a long way and there are very many', () => {
    const name = 'k'.repeat(1_000)
    const inner = `[${Array(105_000).fill('"\\u0000"').join()}]`
    const told = problemsOfStoring(JSON.parse(`{"${name}":`.repeat(100) + inner + '}'.repeat(100)))
    expect(told.at(-1)).toMatchObject({ code: 'more_problems' })
    expect(JSON.stringify(told).length).toBeLessThan(300_000)
    expect(problemsOfStoring(Array(105_000).fill('\0'))).toHaveLength(101)
  })
})
