import fc from 'fast-check'
import { RE2JS, RE2Set } from 're2js'
import { describe, expect, it, vi } from 'vitest'
import { conditions } from '../test/conditions.ts'
import { json } from '../test/values.ts'
import { limits } from './language.ts'
import { shorthandConditions } from './shorthand.ts'
import { validateConditions } from './validate-conditions.ts'

const clause = { fact: 'severity', operator: 'equal', value: 'HIGH' }
const nested = (levels: number): object => (levels === 0 ? clause : { all: [nested(levels - 1)] })

const about = (operator: string, value: unknown, more = {}) => ({ all: [{ fact: 'name', operator, value, ...more }] })
const element = (...all: object[]) => about('element', { all }, { fact: 'context', path: '$.disks' })
const used = { field: 'used', operator: 'greaterThan', value: 90 }

describe('validateConditions', () => {
  it.each([
    ['one clause', { all: [clause] }],
    ['nested groups', { any: [{ all: [clause] }, { not: clause }] }],
    ['a path', { all: [{ ...clause, fact: 'context', path: "$.a['b c'][0]" }] }],
    ['the deepest nesting allowed', nested(limits.depth - 1)],
    ['names', { name: 'all of it', all: [{ ...clause, name: 'this' }] }],
    ['decorators', about('not:someFact:everyValue:startsWith', ['a'], { fact: 'context', path: '$.tags' })],
    ['a swap of what needs no preparation', about('swap:contains', ['a', 'b'])],
    ['conditions of an element', element(used, { any: [{ ...used, path: '$.x', name: 'n' }, { not: used }] })],
    ['an element in an element', element({ field: 'parts', operator: 'element', value: { all: [used] } })],
    [
      'what other operators would find strange',
      { all: [about('equal', null), about('equal', ''), about('in', [[1], 1])] },
    ],
    ['the word fact where it is no fact', about('in', [{ fact: 'a' }, 1])],
    ['a list of patterns', about('someValue:matches', ['a.*', 'b'])],
    ['networks', { all: [about('cidr', '10.0.0.0/8'), about('cidr', ['::1', '10.0.0.1'])] }],
  ])('accepts %s', (_, conditions) => {
    expect(validateConditions(conditions)).toEqual({ conditions, warnings: [] })
  })

  it.each([
    ['nothing', undefined, '', 'not_an_object'],
    ['an array', [], '', 'not_an_object'],
    ['a bare clause', clause, '', 'no_group'],
    ['two groups at once', { all: [clause], any: [clause] }, '', 'ambiguous'],
    ['a group that is no array', { all: clause }, '/all', 'not_an_array'],
    ['a list in not', { not: [clause] }, '/not', 'not_an_object'],
    ['an unknown operator', about('matchez', 1), '/all/0/operator', 'unknown_operator'],
    ['an unknown decorator', about('no:equal', 1), '/all/0/operator', 'unknown_operator'],
    ['a name that every object inherits', about('constructor', 1), '/all/0/operator', 'unknown_operator'],
    ['no value', { all: [{ fact: 'name', operator: 'equal' }] }, '/all/0/value', 'required'],
    ['no fact', { all: [{ operator: 'equal', value: 1 }] }, '/all/0/fact', 'required'],
    ['a fact as value', about('equal', { fact: 'source' }), '/all/0/value', 'not_supported'],
    ['params', about('equal', 1, { params: {} }), '/all/0/params', 'not_supported'],
    ['a priority', { any: [clause], priority: 1 }, '/priority', 'not_supported'],
    ['a shared condition', { condition: 'x' }, '', 'no_group'],
    ['a shared condition inside', { all: [{ ...clause, condition: 'x' }] }, '/all/0/condition', 'not_supported'],
    ['a prototype', JSON.parse('{"all": [], "__proto__": {}}'), '/__proto__', 'not_supported'],
    [
      'a prototype in a value',
      about('in', JSON.parse('[{"a": {"__proto__": []}}]')),
      '/all/0/value/0/a/__proto__',
      'not_supported',
    ],
    ['a wildcard path', about('equal', 1, { path: '$..x' }), '/all/0/path', 'bad_path'],
    ['a path that does not start', about('equal', 1, { path: 'a.b' }), '/all/0/path', 'bad_path'],
    ['a path that is no string', about('equal', 1, { path: null }), '/all/0/path', 'bad_path'],
    ['a script in a path', about('equal', 1, { path: '$[?(@.x)]' }), '/all/0/path', 'bad_path'],
    ['in without an array', about('in', 'abc'), '/all/0/value', 'not_an_array'],
    ['notIn without an array', about('not:notIn', null), '/all/0/value', 'not_an_array'],
    ['someValue without an array', about('someValue:equal', 'a'), '/all/0/value', 'not_an_array'],
    ['someValue:in without arrays', about('someValue:in', [['a'], 'b']), '/all/0/value/1', 'not_an_array'],
    ['a swapped everyFact without an array', about('swap:everyFact:equal', 1), '/all/0/value', 'not_an_array'],
    ['a pattern that an alert would bring', about('swap:matches', 'a'), '/all/0/value', 'not_supported'],
    ['a prefix that is no text', about('startsWith', 5), '/all/0/value', 'not_a_string'],
    ['one prefix of a list', about('someValue:endsWith', ['a', 5]), '/all/0/value/1', 'not_a_string'],
    ['exists with a text', about('exists', 'true'), '/all/0/value', 'not_a_boolean'],
    ['one bound', about('between', [1]), '/all/0/value', 'bad_bounds'],
    ['three bounds', about('between', [1, 2, 3]), '/all/0/value', 'bad_bounds'],
    ['bounds as text', about('between', ['1', '2']), '/all/0/value', 'bad_bounds'],
    ['a network that is none', about('cidr', '10.0.0/8'), '/all/0/value', 'bad_network'],
    ['a network of a list', about('cidr', ['::1', '10.0.0.1/8']), '/all/0/value/1', 'bad_network'],
    ['a network that is a number', about('cidr', 10), '/all/0/value', 'bad_network'],
    ['a last backslash', about('wildcard', 'a\\'), '/all/0/value', 'bad_pattern'],
    ['a pattern that looks back', about('matches', '(a)\\1'), '/all/0/value', 'bad_pattern'],
    ['a pattern that looks ahead', about('matches', 'a(?=b)'), '/all/0/value', 'bad_pattern'],
    ['a list that is none', about('in', { length: { toString: 0 } }), '/all/0/value', 'not_an_array'],
    ['bounds that are none', about('between', { length: { toString: 0 } }), '/all/0/value', 'bad_bounds'],
    ['networks that are none', about('cidr', { length: { toString: 0 } }), '/all/0/value', 'bad_network'],
    ['many prefixes', about('startsWith', Array(limits.listLength + 1).fill('a')), '/all/0/value', 'not_a_string'],
    ['many bounds', about('between', Array(limits.listLength + 1).fill(1)), '/all/0/value', 'bad_bounds'],
    ['many that are no networks', about('cidr', Array(limits.listLength + 1).fill(1)), '/all/0/value', 'bad_network'],
    ['an element without a group', about('element', used), '/all/0/value', 'no_group'],
    ['an element of nothing', about('element', []), '/all/0/value', 'not_an_object'],
    ['a fact in an element', element({ ...clause }), '/all/0/value/all/0/field', 'required'],
    ['a field outside of an element', { all: [used] }, '/all/0/fact', 'required'],
    ['a value of an element', element({ ...used, operator: 'in' }), '/all/0/value/all/0/value', 'not_an_array'],
  ])('refuses %s with its place and code', (_, conditions, pointer, code) => {
    const result = validateConditions(conditions)
    expect(result).toEqual({ problems: [{ pointer, code, message: expect.stringMatching(/^[a-z].*[^.]$/) }] })
  })

  it('says once that a pattern cannot be read', () => {
    const message = 'is no RE2 pattern: missing closing ): `(a`'
    expect(validateConditions(about('matches', '(a'))).toHaveProperty('problems.0.message', message)
  })

  it('escapes what a pointer must escape', () => {
    const result = validateConditions({ all: [{ ...clause, 'a/b~c': 1 }] })
    expect(result).toHaveProperty('warnings', [expect.objectContaining({ pointer: '/all/0/a~1b~0c' })])
  })

  it('names every problem at once', () => {
    const result = validateConditions({ all: [{ fact: '', operator: 'x', value: 1 }, { not: [] }] })
    expect(result).toEqual({
      problems: [
        expect.objectContaining({ pointer: '/all/0/fact' }),
        expect.objectContaining({ pointer: '/all/0/operator' }),
        expect.objectContaining({ pointer: '/all/1/not' }),
      ],
    })
  })
})

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

describe('warnings of validateConditions', () => {
  it.each([
    ['a misspelt member', about('equal', 1, { vaule: 1 }), '/all/0/vaule', 'unknown_field'],
    ['a clause in a group', { all: [clause], operator: 'equal' }, '/operator', 'unknown_field'],
    ['a fact that no alert has', about('equal', 1, { fact: 'region' }), '/all/0/fact', 'unknown_fact'],
    ['a path on a scalar', about('equal', 1, { path: '$.a' }), '/all/0/path', 'path_on_scalar'],
    ['an empty any', { any: [] }, '/any', 'empty_group'],
    ['an empty all', { all: [] }, '/all', 'empty_group'],
    ['the whole context', about('equal', 1, { fact: 'context' }), '/all/0', 'never_holds'],
    ['a severity that is none', about('equal', 'high', { fact: 'severity' }), '/all/0/value', 'never_holds'],
    ['severities that are none', about('in', ['high', 1], { fact: 'severity' }), '/all/0/value', 'never_holds'],
    ['an empty list', about('in', []), '/all/0/value', 'never_holds'],
    ['an empty list negated', about('not:in', []), '/all/0/value', 'always_holds'],
    ['an empty list to walk', about('someValue:equal', []), '/all/0/value', 'never_holds'],
    ['an empty list to walk negated', about('not:everyValue:equal', []), '/all/0/value', 'never_holds'],
    ['an object', about('equal', {}), '/all/0/value', 'never_holds'],
    ['objects', about('notIn', [{}, []]), '/all/0/value', 'always_holds'],
    ['an array to contain', about('contains', []), '/all/0/value', 'never_holds'],
    ['a number as text', about('greaterThan', '10'), '/all/0/value', 'odd_comparison'],
    ['no number', about('lessThan', 'high'), '/all/0/value', 'odd_comparison'],
    ['null', about('lessThan', null), '/all/0/value', 'odd_comparison'],
    ['bounds the wrong way round', about('between', [2, 1]), '/all/0/value', 'never_holds'],
    ['no network', about('cidr', []), '/all/0/value', 'never_holds'],
    ['an empty prefix', about('startsWith', ''), '/all/0/value', 'always_holds'],
    ['a path of Windows', about('wildcard', 'C:\\Users*'), '/all/0/value', 'odd_escape'],
  ])('%s', (_, conditions, pointer, code) => {
    const message = expect.stringMatching(/^[a-z].*[^.]$/)
    expect(validateConditions(conditions)).toEqual({ conditions, warnings: [{ pointer, code, message }] })
  })

  it('do not stop any generated rule', () => {
    fc.assert(
      fc.property(conditions, rule => {
        expect((validateConditions(rule) as { conditions: object }).conditions).toBe(rule)
      }),
    )
  })

  it('and problems are all that comes of anything that JSON can be', () => {
    const any = fc.oneof(
      fc.json().map(text => JSON.parse(text)),
      json,
    )
    fc.assert(
      fc.property(any, fc.constantFrom('all', 'any', 'not'), (value, group) => {
        const result = validateConditions({ [group]: group === 'not' ? value : [value, clause] })
        expect('problems' in result || 'conditions' in result).toBe(true)
      }),
    )
  })
})

describe('shorthandConditions', () => {
  it('asks for equality of all that is not *', () => {
    expect(shorthandConditions({ severity: 'HIGH', source: '*', name: 'timeout' })).toEqual({
      conditions: {
        all: [
          { fact: 'severity', operator: 'equal', value: 'HIGH' },
          { fact: 'name', operator: 'equal', value: 'timeout' },
        ],
      },
    })
  })

  it('refuses a rule that would match every alert', () => {
    expect(shorthandConditions({ severity: '*', source: '*', name: '*' })).toHaveProperty('problems')
  })
})
