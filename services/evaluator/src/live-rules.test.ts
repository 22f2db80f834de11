import { setImmediate as nextTurn } from 'node:timers/promises'
import type { SnapshotRule } from '@tocsin/contracts/snapshot'
import { hashOfChunk } from '@tocsin/redis/snapshot-chunk'
import type { Matcher } from '@tocsin/rules'
import fc from 'fast-check'
import { afterEach, describe, expect, test, vi } from 'vitest'
import {
  anyAlert,
  anyRule,
  changeRules,
  eachTakesLong,
  type Line,
  linesOfRules,
  liveRulesOf,
  textsOf,
} from '../test/rules-in-chunks.ts'
import { changeOf } from './chunk-change.ts'
import { LiveRules } from './live-rules.ts'

/** Those that were made last come last. */
const matchers = vi.hoisted((): Matcher[] => [])
vi.mock(import('@tocsin/rules'), async original => {
  const { createMatcher, ...rest } = await original()
  const kept: typeof createMatcher = options => matchers[matchers.push(createMatcher(options)) - 1]!
  return { ...rest, createMatcher: kept }
})
afterEach(() => vi.restoreAllMocks())

const idsOf = (rules: LiveRules) =>
  [...(rules.match(anyAlert)?.values() ?? [])].flatMap(texts => texts.map(text => JSON.parse(text).rule_id))

describe('a rule that cannot be used', () => {
  const strange: [string, string][] = [
    ['not JSON', '{"rule_id":'],
    ['not an object', '7'],
    ['a field is missing', JSON.stringify({ ...anyRule('strange'), team_id: undefined })],
    ['a field is of another kind', JSON.stringify({ ...anyRule('strange'), endpoint_ids: ['e', 7] })],
    ['its conditions are none', JSON.stringify({ ...anyRule('strange'), conditions: 'later' })],
    ['it is another rule', JSON.stringify(anyRule('other'))],
    [
      'the matcher cannot read it',
      JSON.stringify(anyRule('strange', { conditions: { all: [{ fact: 'x', operator: '?', value: 1 }] } })),
    ],
  ]

  test.each(strange)('is left out and named, the others match: %s', async (_, json) => {
    const rules = await liveRulesOf([['strange', json], ...linesOfRules([anyRule('good')])])
    expect(rules.latestRefusals).toEqual([{ rule_id: 'strange', reason: expect.stringMatching(/.{5}/) }])
    expect([rules.size, rules.refused]).toEqual([1, 1])
    expect(idsOf(rules)).toEqual(['good'])
  })

  test.each(strange)('does not stay as it was before: %s', async (_, json) => {
    const rules = await liveRulesOf(linesOfRules([anyRule('strange'), anyRule('good')]))
    expect(await change(rules, [['strange', json], ...linesOfRules([anyRule('good')])])).toBe(1)
    expect(idsOf(rules)).toEqual(['good'])

    expect(await change(rules, linesOfRules([anyRule('strange'), anyRule('good')]))).toBe(0)
    expect(idsOf(rules).toSorted()).toEqual(['good', 'strange'])
    expect(rules.refused).toBe(0)

    await change(rules, [['strange', json], ...linesOfRules([anyRule('good')])])
    await change(rules, linesOfRules([anyRule('good')]))
    expect([rules.size, rules.refused]).toEqual([1, 0])
  })

  test('very many of them are not all named', async () => {
    const lines = Array.from({ length: 500 }, (_, index): Line => [`r${index}`, '{'])
    const rules = await liveRulesOf(lines)
    expect(rules.refused).toBe(500)
    expect(rules.latestRefusals).toHaveLength(10)
  })
})

describe('the difference between two states of a chunk', () => {
  const version = fc.integer({ min: 1, max: 3 })
  const state = fc.dictionary(fc.stringMatching(/^r[0-9]$/), version)

  test('is what is new or changed and what is gone, and no more', async () => {
    await fc.assert(
      fc.asyncProperty(state, state, async (before, after) => {
        const rules = await liveRulesOf(linesOfState(before))
        const [text] = textsOf(linesOfState(after), 1)
        const { put, removed } = rules.changeTo(0, hashOfChunk(text!), text!)
        expect(put.map(read => read.rule_id)).toEqual(
          Object.keys(after)
            .filter(id => after[id] !== before[id])
            .sort(),
        )
        expect(removed).toEqual(
          Object.keys(before)
            .filter(id => !(id in after))
            .sort(),
        )
      }),
    )
  })

  test('in whatever order lines stand, the rules become those of the chunk, and nothing stays of those before', async () => {
    const rules = fc.tuple(fc.stringMatching(/^r[0-9]$/), version, fc.boolean())
    const shuffled = fc
      .uniqueArray(rules, { selector: ([id]) => id })
      .map(some =>
        some.map(([id, version, isGood]): Line => [id, isGood ? JSON.stringify({ ...anyRule(id), version }) : '{']),
      )
    await fc.assert(
      fc.asyncProperty(fc.array(shuffled, { minLength: 1, maxLength: 6 }), async states => {
        const rules = new LiveRules(1)
        for (const lines of states) {
          await changeRules(rules, [lines.map(line => textsOf([line], 1)[0]).join('')], 1)
          const good = lines.filter(([, json]) => json !== '{')
          expect(textsIn(rules)).toEqual(good.map(([, json]) => textOfRule(JSON.parse(json))).toSorted())
          expect([rules.size, rules.refused]).toEqual([good.length, lines.length - good.length])
          expect(matchers.at(-1)!.size).toBe(good.length)
        }
      }),
    )
  })

  test('a rule that goes from one chunk to another stays', async () => {
    const [text] = textsOf(linesOfRules([anyRule('r1')]), 1)
    const rules = new LiveRules(2)
    await changeRules(rules, ['', text!], 1)
    await changeRules(rules, [text!, ''], 2)
    expect(idsOf(rules)).toEqual(['r1'])
    expect(matchers.at(-1)!.size).toBe(1)
  })

  test('may be as large as a chunk can be', () => {
    const ids = Array.from({ length: 200_000 }, (_, index) => `r${index}`)
    expect(changeOf(0, { hash: 'h', ids, digests: '', isTold: false }, '', '').removed).toEqual(ids)
  })
})

describe('batches go on', () => {
  const versions = (rules: LiveRules) => new Set(textsIn(rules).map(text => JSON.parse(text).version))
  const some = (version: number) =>
    textsOf(linesOfRules(Array.from({ length: 50 }, (_, at) => ({ ...anyRule(`r${at}`), version }))), 1)[0]!

  test('while rules are prepared, after each one that takes long, and see nothing of them until all are taken', async () => {
    eachTakesLong()
    const rules = new LiveRules(1)
    for (const version of [1, 2, 3]) {
      const before = textsIn(rules)
      const change = rules.changeTo(0, `h${version}`, some(version))
      const batches = await batchesDuring(rules.prepare(change), () => expect(textsIn(rules)).toEqual(before))
      expect(batches).toBeGreaterThanOrEqual(50)
      expect(textsIn(rules)).toEqual(before)

      rules.take([change], { version, hash: 'h' })
      const after = textsIn(rules)
      expect([after.length, versions(rules)]).toEqual([50, new Set([version])])
      await batchesDuring(rules.tidy(), () => expect(textsIn(rules)).toEqual(after))
      expect(textsIn(rules)).toEqual(after)
    }
  })

  test('while rules are taken out of the matcher', async () => {
    const rules = new LiveRules(1)
    await changeRules(rules, [some(1)], 1)
    rules.take([rules.changeTo(0, '', '')])
    eachTakesLong()
    const batches = await batchesDuring(rules.tidy(), () => expect(textsIn(rules)).toEqual([]))
    expect(batches).toBeGreaterThanOrEqual(50)
    expect(matchers.at(-1)!.size).toBe(0)
  })

  test('and many small rules share a turn', async () => {
    vi.spyOn(performance, 'now').mockReturnValue(performance.now())
    const rules = new LiveRules(1)
    const change = rules.changeTo(0, 'h', some(1))
    expect(await batchesDuring(rules.prepare(change), () => {})).toBeLessThan(5)
  })
})

/** How often something else got its turn. */
async function batchesDuring(work: Promise<void>, batch: () => void): Promise<number> {
  let batches = 0
  let goesOn = true
  const ended = work.finally(() => {
    goesOn = false
  })
  for (; goesOn; batches++) {
    batch()
    await nextTurn()
  }
  await ended
  return batches
}

const textOfRule = ({ rule_id, name, version, endpoint_ids }: SnapshotRule) =>
  JSON.stringify({ rule_id, name, version, endpoint_ids })

/** What is told of all rules that match. */
const textsIn = (rules: LiveRules) => [...(rules.match(anyAlert)?.values() ?? [])].flat().toSorted()

const linesOfState = (state: Record<string, number>) =>
  linesOfRules(Object.entries(state).map(([id, version]) => ({ ...anyRule(id), version })))

const change = (rules: LiveRules, lines: readonly Line[]) => changeRules(rules, textsOf(lines, 1), rules.version + 1)
