import { describe, expect, it, onTestFinished, vi } from 'vitest'
import type { Condition } from '../language.ts'
import { Buckets } from './buckets.ts'
import { Node } from './node.ts'
import { normalParts } from './normal-form.ts'
import { signsOfPattern } from './pattern-signs.ts'
import { Patterns } from './patterns.ts'
import { RuleIndex } from './rule-index.ts'
import { Search } from './search.ts'

const nothing = { patterns: 0, held: 0, clauses: 0, facts: 0, fields: 0 }
const clauseOf = (fact: string, operator: string, value: unknown) => ({ fact, operator, value })

describe('a rule that its owner goes on changing', () => {
  const range = (value: number[]) => ({ all: [clauseOf('x', 'between', value)] }) as Condition

  it('stays as it was when it was added', () => {
    const index = new RuleIndex()
    const value = [0, 10]
    const others = Array.from({ length: 20 }, (_, number) => range([number, number + 30]))
    index.add('r', range(value))
    for (const [number, other] of others.entries()) index.add(`o${number}`, other)
    value[1] = 20
    expect(index.match({ x: 15 })).not.toContain('r')
    expect(index.match({ x: 5 })).toContain('r')
    index.remove('r')
    expect(index.match({ x: 5 })).toHaveLength(6)
    for (const number of others.keys()) index.remove(`o${number}`)
    expect(index.extent).toEqual(nothing)
  })

  it('has no object in it that an alert could have as well', () => {
    const index = new RuleIndex()
    const shared = { a: 1 }
    index.add('equal', { all: [clauseOf('x', 'equal', shared)] } as Condition)
    index.add('in', { all: [clauseOf('x', 'in', [shared, [shared]])] } as Condition)
    index.add('contains', { all: [clauseOf('list', 'contains', shared)] } as Condition)
    index.add('element', {
      all: [clauseOf('list', 'element', { all: [{ field: 'y', operator: 'equal', value: shared }] })],
    } as Condition)
    expect(index.match({ x: shared, list: [shared, { y: shared }] })).toEqual([])
  })
})

describe('a rule that cannot be added', () => {
  const loop: unknown[] = []
  loop.push(loop)
  const long = Array.from({ length: 200_000 }, (_, number) => number)
  const conditions = {
    'a value that is in itself': { all: [clauseOf('y', 'equal', 1), clauseOf('x', 'in', loop)] },
    'a value that JSON does not have': { all: [clauseOf('y', 'equal', 1), clauseOf('x', 'in', [1n])] },
    'the same behind any': { any: [{ all: [clauseOf('y', 'equal', 1)] }, clauseOf('x', 'equal', loop)] },
    'the same for members': {
      all: [clauseOf('l', 'element', { all: [{ field: 'y', operator: 'in', value: loop }] })],
    },
  }

  it.each(Object.entries(conditions))('changes nothing: %s', (_, condition) => {
    const index = new RuleIndex()
    index.add('r', { all: [clauseOf('name', 'equal', 'a')] } as Condition)
    const { extent } = index
    expect(() => index.add('r', condition as Condition)).toThrow()
    expect(() => index.add('other', condition as Condition)).toThrow()
    expect([index.size, index.extent, index.match({ name: 'a' })]).toEqual([1, extent, ['r']])
    index.remove('r')
    expect(index.extent).toEqual(nothing)
  })

  it('is none that has more values than a call may have arguments', () => {
    const index = new RuleIndex()
    index.add('r', {
      any: [{ any: [clauseOf('x', 'in', long), clauseOf('z', 'equal', 1)] }, { all: [clauseOf('y', 'equal', 1)] }],
    } as Condition)
    expect([index.match({ x: 7 }), index.match({ y: 1 }), index.match({ y: 2 })]).toEqual([['r'], ['r'], []])
    index.remove('r')
    expect(index.extent).toEqual(nothing)
  })

  it('leaves the old one where signs cannot be made of it', () => {
    const index = new RuleIndex()
    const condition = { all: [clauseOf('name', 'equal', 'a')] } as Condition
    index.add('r', condition)
    const { extent } = index
    const add = vi.spyOn(Node.prototype, 'add').mockImplementation(() => {
      throw new Error('no place')
    })
    onTestFinished(() => add.mockRestore())
    expect(() => index.add('r', { all: [clauseOf('name', 'equal', 'b')] } as Condition)).toThrow('no place')
    expect([index.size, index.extent, index.match({ name: 'a' })]).toEqual([1, extent, ['r']])
  })
})

describe('making the plan anew', () => {
  const rule = (number: number) => ({ all: [clauseOf('name', 'equal', `n${number}`)] }) as Condition

  it('is done when there are as many rules for the first time, and again when they were half as many since', () => {
    const plans = vi.spyOn(Patterns.prototype, 'forEach')
    onTestFinished(() => plans.mockRestore())
    const index = new RuleIndex()
    const grow = (from: number, to: number) => {
      for (let number = from; number < to; number++) index.add(`r${number}`, rule(number))
      return plans.mock.calls.length
    }
    const shrink = (from: number, to: number) => {
      for (let number = from; number > to; number--) index.remove(`r${number - 1}`)
    }
    expect(grow(0, 63)).toBe(0)
    expect(grow(63, 64)).toBe(1)
    for (let turn = 0; turn < 5; turn++) {
      shrink(64, 60)
      expect(grow(60, 64)).toBe(1)
      index.add('r63', rule(1_000 + turn))
    }
    shrink(64, 32)
    expect(grow(32, 100)).toBe(1)
    shrink(100, 31)
    expect(grow(31, 511)).toBe(2)
    expect(grow(511, 512)).toBe(3)
    shrink(512, 300)
    expect(grow(300, 512)).toBe(3)
  })
})

describe('a node', () => {
  it('does not count what never holds, nor what it has given back', () => {
    const patterns = new Patterns()
    const node = new Node(new Buckets(patterns))
    const never = { all: [clauseOf('a', 'in', []), clauseOf('b', 'equal', 1)] } as Condition
    const always = { all: [] } as Condition
    for (const condition of [never, always, { all: [clauseOf('b', 'equal', 1)] } as Condition]) {
      const { pattern } = patterns.share(normalParts(condition))
      node.add(pattern, signsOfPattern(patterns, pattern))
      expect(node.size).toBe(condition === never ? 0 : 1)
      node.remove(pattern, signsOfPattern(patterns, pattern))
      expect(node.size).toBe(0)
    }
  })

  it('finds each of many with the same signs again', () => {
    const index = new RuleIndex()
    const count = 20_000
    const rule = (number: number) =>
      ({ all: [clauseOf('source', 'equal', 'api'), clauseOf('source', 'notEqual', `db-${number}`)] }) as Condition
    for (let number = 0; number < count; number++) index.add(`r${number}`, rule(number))
    for (let number = 0; number < count; number += 2) index.remove(`r${number}`)
    const searches = vi.spyOn(Search.prototype, 'run')
    onTestFinished(() => searches.mockRestore())
    expect(index.match({ source: 'api' })).toHaveLength(count / 2)
    // Nor does one alert that meets so many leave room for them.
    expect(searches.mock.contexts.map(search => (search as Search).matched.length)).toEqual([0])
    for (let number = 1; number < count; number += 2) index.remove(`r${number}`)
    expect(index.extent).toEqual(nothing)
  })
})
