import { RE2JS, RE2Set } from 're2js'
import { describe, expect, it, vi } from 'vitest'
import { about, clause, element, nested, used } from '../test/one-clause.ts'
import { limits } from './language.ts'
import { validateConditions } from './validate-conditions.ts'

describe('the limits of validateConditions', () => {
  const deep = (levels: number): unknown => (levels === 0 ? 1 : [deep(levels - 1)])
  const stars = (count: number) => 'a*'.repeat(count)

  it.each([
    ['nesting', nested(limits.depth), '/all/0'.repeat(limits.depth), 'too_deep'],
    ['nesting in elements', element(nested(limits.depth) as object), expect.any(String), 'too_deep'],
    ['clauses', { all: Array(limits.clauses + 1).fill(clause) }, '', 'too_many_clauses'],
    ['clauses of elements', element(...Array(limits.clauses).fill(used)), '', 'too_many_clauses'],
    ['text', about('equal', 'x'.repeat(limits.size)), '', 'too_large'],
    ['levels of a value', about('equal', deep(limits.jsonDepth)), '', 'too_deep'],
    [
      'levels that would exhaust the stack',
      about('equal', JSON.parse('['.repeat(9_999) + ']'.repeat(9_999))),
      '',
      'too_deep',
    ],
    ['steps', about('equal', 1, { path: `$${'.a'.repeat(limits.pathSteps + 1)}` }), '/all/0/path', 'bad_path'],
    ['decorators', about(`${'not:'.repeat(limits.decorators + 1)}equal`, 1), '/all/0/operator', 'too_costly'],
    ['members', about('in', Array(limits.listLength + 1).fill(1)), '/all/0/value', 'too_long'],
    ['networks', about('cidr', Array(limits.listLength + 1).fill('::1')), '/all/0/value', 'too_long'],
    [
      'walked members',
      about('someValue:equal', Array(limits.walkedListLength + 1).fill(1)),
      '/all/0/value',
      'too_long',
    ],
    ['stars', about('wildcard', stars(limits.wildcardStars + 1)), '/all/0/value', 'too_costly'],
    ['between stars', about('wildcard', `*${'a'.repeat(limits.wildcardPiece + 1)}*`), '/all/0/value', 'too_costly'],
    ['stars of a long wildcard', about('wildcard', stars(125_000)), '', 'too_large'],
    [
      'lists in a list to walk',
      about('someValue:someValue:equal', Array(11).fill(Array(19).fill(1))),
      '',
      'too_many_clauses',
    ],
    [
      'lists to walk',
      { all: Array(3).fill(about('everyValue:equal', Array(67).fill(1)).all[0]) },
      '',
      'too_many_clauses',
    ],
    ['swapped lists to walk', about('swap:someFact:everyFact:equal', Array(101).fill([1, 2])), '', 'too_many_clauses'],
    ['text to look for', about('swap:in', 'a'.repeat(limits.wildcardPiece + 1)), '/all/0/value', 'too_costly'],
    ['text of a list to look for', about('swap:notIn', [Array(101).fill(1)]), '/all/0/value', 'too_costly'],
    ['pattern', about('matches', 'a'.repeat(limits.patternLength + 1)), '/all/0/value', 'too_costly'],
    ['repeats', about('matches', 'a{1001}'), '/all/0/value', 'bad_pattern'],
    ['instructions', about('matches', '((ab){20}){20}'), '/all/0/value', 'too_costly'],
    ['instructions together', about('someValue:matches', Array(9).fill('a{99}')), '/all/0/value/1', 'too_costly'],
    ['repeats of repeats', about('matches', '^((a{10}){10}){10}'), '/all/0/value', 'too_costly'],
    ['unions of Unicode classes', about('matches', '[\\pL\\pN]{30}'), '/all/0/value', 'too_costly'],
  ])('too much %s', (_, conditions, pointer, code) => {
    expect(validateConditions(conditions)).toEqual({ problems: [expect.objectContaining({ pointer, code })] })
  })

  it.each([
    ['clauses', { all: Array(limits.clauses).fill(clause) }],
    ['steps', about('equal', 1, { fact: 'context', path: `$${'.a'.repeat(limits.pathSteps)}` })],
    ['decorators', about(`${'not:'.repeat(limits.decorators)}equal`, 1)],
    ['members', about('in', Array(limits.listLength).fill(1))],
    ['stars', about('wildcard', stars(limits.wildcardStars))],
    ['between stars', about('wildcard', `*${'a'.repeat(limits.wildcardPiece)}*`)],
    ['members to walk', about('someValue:equal', Array(limits.walkedListLength).fill(1))],
    ['lists in a list to walk', about('someValue:someValue:equal', Array(10).fill(Array(20).fill(1)))],
    ['text to look for', about('swap:in', 'a'.repeat(limits.wildcardPiece))],
    ['instructions', about('matches', `.*${'[a-z.]'.repeat(90)}`)],
    ['instructions of one repeat', about('matches', '(?i).*exception in "[^"]{1,80}".*')],
    ['instructions of Unicode classes', about('matches', '\\pL{1,15} \\pL+')],
  ])('just as much as is allowed: %s', (_, conditions) => {
    expect(validateConditions(conditions)).toEqual({ conditions, warnings: [] })
  })

  it('measures no more patterns of a rule that has too many instructions', () => {
    const compile = vi.spyOn(RE2JS, 'compile')
    const patterns = Array(limits.walkedListLength).fill('a{150}')
    expect(validateConditions(about('someValue:matches', patterns))).toHaveProperty('problems.length', 1)
    expect(compile).toHaveBeenCalledTimes(2)
    compile.mockRestore()
  })

  it.each([
    ['repeats of repeats', `^${'(?:'.repeat(3)}${'\\pL'.repeat(300)}${'){10}'.repeat(3)}`],
    ['groups in groups', `${'('.repeat(300)}a${')'.repeat(300)}{1000}`],
    ['a long text', `(?:${'a'.repeat(900)}){1000}`],
  ])('refuses a hundred thousand instructions without compiling them: %s', (_, huge) => {
    const compile = vi.spyOn(RE2JS, 'compile')
    expect(validateConditions(about('matches', huge))).toHaveProperty('problems.0.code', 'too_costly')
    expect(compile).not.toHaveBeenCalled()
    compile.mockRestore()
  })

  const reading = () => vi.spyOn(RE2Set.prototype, 'add')

  it.each([
    ['Unicode classes that come to nothing much', '[\\pL\\PL]'.repeat(17)],
    ['a range whose other cases are looked for', '(?i)[B-\\x{1E943}]'],
    ['many of them', `(?s)a(?i:${'[Ё-ힿ]'.repeat(3)})`],
    ['counted repeats', 'x{0,999}'.repeat(3)],
    ['repeats behind an escaped backslash', '\\\\x{1000}'.repeat(3)],
  ])('refuses what is slow to read without reading it: %s', (_, slow) => {
    const read = reading()
    expect(validateConditions(about('matches', slow))).toHaveProperty('problems.0.code', 'too_costly')
    expect(read).not.toHaveBeenCalled()
    read.mockRestore()
  })

  it.each([
    ['the same without (?i)', '[B-\\x{1E943}]'.repeat(60)],
    ['letters of an alphabet', '(?i)[а-яё]+ [α-ω]+ [a-z]+'],
    ['escapes that look like others', '\\\\pfad\\\\x\\x{1E943}\\{1001}[-]'],
  ])('takes what only looks slow: %s', (_, pattern) => {
    const conditions = about('matches', pattern)
    expect(validateConditions(conditions)).toEqual({ conditions, warnings: [] })
  })

  it.each([
    ['patterns that cannot be read', about('someValue:matches', Array(60).fill(`${'a'.repeat(900)}(`)), 2],
    ['a rule that is too large', about('someValue:matches', Array(200).fill('a'.repeat(900))), 0],
    [
      'a rule that is too deep',
      { all: [...about('matches', 'a').all, ...about('equal', deep(limits.jsonDepth)).all] },
      0,
    ],
  ])('reads few patterns of %s', (_, conditions, most) => {
    const read = reading()
    expect(validateConditions(conditions)).toHaveProperty('problems.0')
    expect(read.mock.calls.length).toBe(most)
    read.mockRestore()
  })

  it('stops naming problems when nobody would read on', () => {
    const { problems } = validateConditions({ all: Array(10_000).fill(1) }) as { problems: { code: string }[] }
    expect(problems).toHaveLength(101)
    expect(problems.at(-1)?.code).toBe('more_problems')
  })
})
