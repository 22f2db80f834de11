import fc from 'fast-check'
import { RE2JS } from 're2js'
import { describe, expect, it } from 'vitest'
import { foldCase } from '../fold-case.ts'
import { hasPieces, literalPieces } from './literal-pieces.ts'
import { SimpleExpression } from './simple-expression.ts'

const atoms = [
  ...['a', 'b', 'ab', '1', ' ', 'é', '-', ':', ']', '.', '.', '.*', '.*a', '\\.', '\\*', '^', '$', '\n', '\\n', '{'],
  ...['\\d', '\\D', '\\w', '\\S', '\\b', '\\pL', '(?i)', '[[:alpha:]]', '[ab]', '[^a]', '[a-c0-9]', '[\\d-]', '[a-]'],
  ...[
    '\\t',
    '\\x41',
    '\\x{212a}',
    '\\x{1F600}',
    '}',
    'K',
    's',
    'ſ',
    'é',
    'É',
    'Σ',
    '[k-s]',
    '[^k]',
    '[\\Wk]',
    '[^\\W]',
  ],
  ...[
    '(?s)',
    '(?m)',
    '(?U)',
    '(?-i)',
    '(?is)',
    '(?i-s)',
    '[^\\n]',
    '[\\x41-\\x{5a}]',
    '[\\n-\\r]',
    '[[:^alpha:]b]',
    '[K]',
  ],
  ...['[]a]', '[^]a]', '[^\\w]', '[.*]', '[\\]a]', '[-a]', '[a-\\d]', '[+--]', '[a\\-z]', '[^-a]', '[\\^a]', '[z-a]'],
]
const quantifier = fc.oneof(
  { weight: 2, arbitrary: fc.constant('') },
  fc.constantFrom('*', '+', '?', '{2}', '{1,2}', '{0}', '{0,1}', '*?', '{1,}', '**', '{2,1}', '{,2}'),
)
const flags = fc.oneof(
  { weight: 2, arbitrary: fc.constant('') },
  fc.constantFrom('(?i)', '(?s)', '(?is)', '(?m)', '(?i)(?s)', '(?imsU)', '(?i-s)'),
)
const body = fc.letrec<{ choice: string; sequence: string; atom: string }>(tie => ({
  atom: fc.oneof(
    { depthSize: 'small' },
    { weight: 5, arbitrary: fc.constantFrom(...atoms) },
    { weight: 2, arbitrary: tie('choice').map(inner => `(${inner})`) },
    { weight: 1, arbitrary: tie('choice').map(inner => `(?:${inner})`) },
    { weight: 1, arbitrary: tie('choice').map(inner => `(?i:${inner})`) },
  ),
  sequence: fc
    .array(fc.tuple(tie('atom'), quantifier), { maxLength: 4 })
    .map(parts => parts.map(part => part.join('')).join('')),
  choice: fc.array(tie('sequence'), { minLength: 1, maxLength: 3 }).map(ways => ways.join('|')),
})).choice
const pattern = fc.tuple(flags, body).map(parts => parts.join(''))
const characters = ['a', 'b', 'c', 'z', '1', ' ', '.', '*', '-', ':', ']', '{', '^', '_', '\n', 'é', '\u00a0', '\u000b']
characters.push('A', 'k', 'K', '\u212a', 's', 'S', 'ſ', 'É', 'σ', 'ς', '\t', '}', '\r', '\ude00')
const text = fc.array(fc.constantFrom(...characters, '😀', '\ud83d'), { maxLength: 6 }).map(parts => parts.join(''))

function compiled(source: string): RE2JS | undefined {
  try {
    return RE2JS.compile(source)
  } catch {
    return undefined
  }
}

/** How many characters RE2 takes for the one of this pattern. */
function countTaken(source: string): number {
  const { inst } = RE2JS.compile(source).re2Input.prog as {
    inst: readonly { readonly runes: ArrayLike<number> | null; readonly arg: number }[]
  }
  const { runes, arg } = inst.find(({ runes }) => (runes?.length ?? 0) > 0) as (typeof inst)[0]
  const ends = Array.from(runes ?? [])
  // A single one is itself, or, by a flag, one of a pair.
  if (ends.length === 1) return 1 + (arg & 1)
  return ends.reduce((sum, end, at) => (at % 2 === 0 ? sum : sum + end - (ends[at - 1] as number) + 1), 0)
}

/** How often a place in a text is looked at. */
function looksWhile(work: () => void): number {
  let looks = 0
  const { codePointAt, startsWith } = String.prototype
  const counted = <Look extends (this: string, ...what: never[]) => unknown>(look: Look) =>
    function (this: string, ...what: Parameters<Look>) {
      looks++
      return look.apply(this, what)
    } as Look
  String.prototype.codePointAt = counted(codePointAt)
  String.prototype.startsWith = counted(startsWith)
  try {
    work()
  } finally {
    Object.assign(String.prototype, { codePointAt, startsWith })
  }
  return looks
}

describe('a simple expression', () => {
  it('says what RE2 says, and its literal pieces stand in all that RE2 matches', { timeout: 600_000 }, () => {
    let simple = 0
    fc.assert(
      fc.property(pattern, fc.array(text, { minLength: 8, maxLength: 8 }), (source, texts) => {
        const judge = compiled(source)
        const expression = SimpleExpression.read(source)
        const pieces = literalPieces(source)
        if (expression !== undefined) simple++
        if (judge === undefined) expect(expression).toBeUndefined()
        for (const one of judge === undefined ? [] : texts) {
          const expected = judge?.testExact(one)
          if (expression !== undefined) expect(expression.matches(one)).toBe(expected)
          if (pieces !== undefined && expected) expect(hasPieces(one, pieces)).toBe(true)
        }
      }),
      { numRuns: process.env.TOCSIN_TEST_DEEP === '1' ? 300_000 : 6_000 },
    )
    expect(simple).toBeGreaterThan(500)
  })

  it.each([
    ['stars in stars', '(a*)*(a|a)*(.*a.*)*b', 'a'],
    ['what is left, from every character on', 'a*[^b]*|a*[^b]*|a*[^b]*', 'a'],
    ['many ways to one and the same row', `(a|(${'|'.repeat(80)})${'\\w'.repeat(60)}b)*`, 'a'],
    ['many places to start', `.*a${'a?'.repeat(90)}c`, 'a'],
  ])('looks at each character once for each step at most: %s', (_, source, filling) => {
    const text = `${filling.repeat(2_000)}b-`
    const looks = looksWhile(() => expect(SimpleExpression.read(source)?.matches(text)).toBe(false))
    expect(looks).toBeLessThan(source.length * text.length)
  })

  it.each([
    [
      'error (rate|lag) [0-9.]+ .*',
      [
        ['error rate ', ' ', ''],
        ['error lag ', ' ', ''],
      ],
    ],
    ['.*disk.*full', [['', 'disk', 'full']]],
    ['ab?c', [['a', 'c']]],
    ['^a\\.b$|c', [['a.b'], ['c']]],
    ['a(b[cd]|e)f', [['a', 'f']]],
    ['a\\tb[^\\n]}', [['a\tb', '}']]],
    ['(?s)a.*', [['a', '']]],
    ['a(?i)*', undefined],
    ['\\Qa\\E', undefined],
  ])('%s has the pieces %j', (source, ways) => {
    expect(literalPieces(source)).toEqual(ways && { ways, ignoresCase: false })
  })

  it.each([
    ['(?i)ABC.*', [['abc', '']]],
    ['a(?i:B)[cd]\u212aſ', [['ab', 'ks']]],
    ['A|(?i)b', [['a'], ['b']]],
  ])('%s has the pieces %j, in any case', (source, ways) => {
    expect(literalPieces(source)).toEqual({ ways, ignoresCase: true })
  })

  it('takes the same characters for one as RE2 does when it ignores case', { timeout: 60_000 }, () => {
    const characters = Array.from({ length: 0x1_2000 }, (_, code) => code)
      .filter(code => code < 0xd800 || code > 0xdfff)
      .map(code => String.fromCodePoint(code))
    const families = Map.groupBy(characters, foldCase)
    for (const character of characters) {
      const family = families.get(foldCase(character)) as string[]
      if (family.length === 1 && !/\p{L}|\p{M}|\p{N}|\p{S}/u.test(character)) continue
      const source = `(?i)[${character.replace(/[\\^[\]-]/, '\\$&')}]`
      expect([character, countTaken(source)]).toEqual([character, family.length])
      for (const one of family) expect([character, one, RE2JS.matches(source, one)]).toEqual([character, one, true])
    }
  })
})
