import { describe, expect, it } from 'vitest'
import { planFrom } from './plan.ts'
import { kinds } from './rule-sets.ts'
import { firstDifference } from './run-set.ts'

describe('planFrom', () => {
  it('measures every kind when nothing is said, and the slow engines only where they end soon', () => {
    const { sets, effort, rulerSeconds } = planFrom({})
    expect(sets.map(({ kind, rules }) => `${kind} ${rules}`)).toEqual([
      'mixed 1000',
      'mixed 10000',
      'mixed 100000',
      ...kinds.slice(1).map(kind => `${kind} 10000`),
    ])
    expect(sets[1]?.engines).toEqual(['json-rules-engine', 'event-ruler', 'tocsin'])
    expect(new Set(sets.slice(2).flatMap(({ engines }) => engines))).toEqual(new Set(['tocsin']))
    expect([effort.seconds, rulerSeconds]).toEqual([1, 120])
  })

  it('takes sizes, kinds and engines as they are named', () => {
    const plan = planFrom({
      sizes: '1M,1k',
      kinds: 'cidr',
      engines: 'event-ruler',
      seconds: '7',
      'ruler-seconds': '30',
    })
    expect(plan.sets.map(({ rules, engines }) => [rules, ...engines])).toEqual([
      [1_000, 'event-ruler'],
      [1_000_000, 'event-ruler'],
    ])
    expect(plan).toMatchObject({ parse: false, rulerSeconds: 30, effort: { seconds: 7 } })
  })

  it.each([
    ['sizes', '2k'],
    ['kinds', 'mixed,prefix'],
    ['engines', 'ours'],
    ['seconds', '0'],
  ])('refuses --%s %s', (option, value) => {
    expect(() => planFrom({ [option]: value })).toThrow(`--${option}`)
  })
})

describe('firstDifference', () => {
  const outcome = (...digests: string[]) => ({ loaded: 1, loadS: 0, corpora: [{ rates: [], digests }] })

  it('compares as many alerts as both have done', () => {
    expect(firstDifference(outcome('1:5', '0:0'), outcome('1:5', '0:0', '2:7'))).toBeUndefined()
  })

  it('sees other rules even if they are as many', () => {
    expect(firstDifference(outcome('1:5', '1:6'), outcome('1:5', '1:7'))).toMatch(/^alert 1 /)
  })
})
