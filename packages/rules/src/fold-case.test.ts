import { describe, expect, it, vi } from 'vitest'
import { foldCase, isEqualIgnoringCase } from './fold-case.ts'

const characters = Array.from({ length: 0x110000 }, (_, code) => code)
  .filter(code => code < 0xd800 || code > 0xdfff)
  .map(code => String.fromCodePoint(code))
const cased = characters.filter(one => one.toLowerCase() !== one || one.toUpperCase() !== one)

describe('foldCase', () => {
  it('joins exactly the characters that the flags iu join', () => {
    const all = cased.join('')
    const families = new Map<string, string>()
    for (const one of cased) {
      const escaped = `\\u{${(one.codePointAt(0) as number).toString(16)}}`
      families.set(one, [...new Set(all.match(new RegExp(escaped, 'giu')))].sort().join(''))
    }
    const folded = Map.groupBy(cased, foldCase)
    for (const [form, members] of folded) {
      for (const member of members) expect([form, families.get(member)]).toEqual([form, [...members].sort().join('')])
    }
  })

  it('leaves alone what has no case, and keeps every length', () => {
    const uncased = new Set(characters).difference(new Set(cased))
    for (const one of uncased) if (foldCase(one) !== one) expect.fail(`${one} has no case`)
    for (const one of cased) if (foldCase(one).length !== one.length) expect.fail(`${one} changes its length`)
  })

  it.each([
    ['ABC', 'abc', true],
    ['ß', 'ẞ', true],
    ['ß', 'ss', false],
    ['\u212a', 'k', true],
    ['ſ', 'S', true],
    ['İ', 'i', false],
    ['İ', 'I', false],
    ['ı', 'i', false],
    ['ΑΣ', 'ας', true],
    ['ΌΣΟΣ x', 'όςοσ X', true],
    ['𐐀', '𐐨', true],
    ['\ud800A', '\ud800a', true],
    ['é', 'e\u0301', false],
  ])('%s and %s: %s', (one, other, equal) => {
    expect(foldCase(one) === foldCase(other)).toBe(equal)
    expect(isEqualIgnoringCase(one, other)).toBe(equal)
    expect(isEqualIgnoringCase(`x${one}😀`, `X${other}😀`)).toBe(equal)
  })
})

describe('isEqualIgnoringCase', () => {
  it('says of each two characters what folding says', () => {
    for (const [at, one] of cased.entries()) {
      for (const other of [cased[at - 1] ?? 'a', one.toLowerCase(), one.toUpperCase(), '\u4e00', '𐐀']) {
        expect([one, other, isEqualIgnoringCase(one, other)]).toEqual([one, other, foldCase(one) === foldCase(other)])
      }
    }
  })

  it('looks no further than the first difference, and not at all where the lengths differ', () => {
    const looks = vi.spyOn(String.prototype, 'codePointAt')
    const long = 'é'.repeat(10_000)
    const verdicts = [isEqualIgnoringCase(long, 'É'.repeat(9_999)), isEqualIgnoringCase(`éx${long}`, `ÉY${long}`)]
    const count = looks.mock.calls.length
    looks.mockRestore()
    expect({ verdicts, count }).toEqual({ verdicts: [false, false], count: 4 })
  })
})
