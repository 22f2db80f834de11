import type { SnapshotRule } from '@tocsin/contracts/snapshot'
import { hashOfChunk } from '@tocsin/redis/snapshot-chunk'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Line, linesOfRules, liveRulesOf, textsOf } from '../test/rules-in-chunks.ts'
import { LiveRules } from './live-rules.ts'

const alert = {
  alert_id: 'a',
  severity: 'HIGH',
  source: 'api',
  name: 'timeout',
  context: {},
  status: 'firing',
} as const
const event_ts = '2026-03-01T12:00:00Z'
const idsOf = (rules: LiveRules) =>
  [...(rules.match({ ...alert, event_ts })?.values() ?? [])].flatMap(texts =>
    texts.map(text => JSON.parse(text).rule_id),
  )

describe('a rule that cannot be used', () => {
  const strange: [string, string][] = [
    ['not JSON', '{"rule_id":'],
    ['not an object', '7'],
    ['a field is missing', JSON.stringify({ ...rule('strange'), team_id: undefined })],
    ['a field is of another kind', JSON.stringify({ ...rule('strange'), endpoint_ids: ['e', 7] })],
    ['its conditions are none', JSON.stringify({ ...rule('strange'), conditions: 'later' })],
    ['it is another rule', JSON.stringify(rule('other'))],
    ['the matcher cannot read it', JSON.stringify(rule('strange', { all: [{ fact: 'x', operator: '?', value: 1 }] }))],
  ]

  test.each(strange)('is left out and named, the others match: %s', (_, json) => {
    const rules = liveRulesOf([['strange', json], ...linesOfRules([rule('good')])])
    expect(rules.latestRefusals).toEqual([{ rule_id: 'strange', reason: expect.stringMatching(/.{5}/) }])
    expect([rules.size, rules.refused]).toEqual([1, 1])
    expect(idsOf(rules)).toEqual(['good'])
  })

  test.each(strange)('does not stay as it was before: %s', (_, json) => {
    const rules = liveRulesOf(linesOfRules([rule('strange'), rule('good')]))
    expect(change(rules, [['strange', json], ...linesOfRules([rule('good')])])).toBe(1)
    expect(idsOf(rules)).toEqual(['good'])

    expect(change(rules, linesOfRules([rule('strange'), rule('good')]))).toBe(0)
    expect(idsOf(rules).toSorted()).toEqual(['good', 'strange'])
    expect(rules.refused).toBe(0)

    change(rules, [['strange', json], ...linesOfRules([rule('good')])])
    change(rules, linesOfRules([rule('good')]))
    expect([rules.size, rules.refused]).toEqual([1, 0])
  })

  test('very many of them are not all named', () => {
    const lines = Array.from({ length: 500 }, (_, index): Line => [`r${index}`, '{'])
    const rules = liveRulesOf(lines)
    expect(rules.refused).toBe(500)
    expect(rules.latestRefusals).toHaveLength(10)
  })
})

describe('the difference between two states of a chunk', () => {
  const version = fc.integer({ min: 1, max: 3 })
  const state = fc.dictionary(fc.stringMatching(/^r[0-9]$/), version)

  test('is what is new or changed and what is gone, and no more', () => {
    fc.assert(
      fc.property(state, state, (before, after) => {
        const rules = liveRulesOf(linesOfState(before))
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

  test('in whatever order lines stand, the rules become those of the chunk', () => {
    const shuffled = fc
      .uniqueArray(fc.tuple(fc.stringMatching(/^r[0-9]$/), version), { selector: ([id]) => id })
      .map(pairs => pairs.map(([id, version]): Line => [id, JSON.stringify({ ...rule(id), version })]))
    fc.assert(
      fc.property(fc.array(shuffled, { minLength: 1, maxLength: 4 }), states => {
        const rules = new LiveRules(1)
        for (const lines of states) {
          const text = lines.map(line => textsOf([line], 1)[0]).join('')
          rules.apply([rules.changeTo(0, hashOfChunk(text), text)], { version: 1, hash: 'h' })
          expect(idsOf(rules).toSorted()).toEqual(lines.map(([id]) => id).toSorted())
        }
      }),
    )
  })

  test('a rule that goes from one chunk to another stays', () => {
    const [text] = textsOf(linesOfRules([rule('r1')]), 1)
    const rules = new LiveRules(2)
    rules.apply([rules.changeTo(1, 'h1', text!)], { version: 1, hash: 'h' })
    rules.apply([rules.changeTo(0, 'h1', text!), rules.changeTo(1, '', '')], { version: 2, hash: 'h' })
    expect(idsOf(rules)).toEqual(['r1'])
  })
})

test('the process goes on while many rules are prepared beside', async () => {
  const many = Array.from({ length: 5_000 }, (_, index) => rule(`r${index}`))
  const rules = new LiveRules(1)
  const [text] = textsOf(linesOfRules(many), 1)
  let turns = 0
  const timer = setInterval(() => turns++, 0)
  await rules.applyWithPauses(rules.changeTo(0, 'h', text!))
  clearInterval(timer)
  expect(turns).toBeGreaterThan(0)
  expect(rules.size).toBe(5_000)
})

const linesOfState = (state: Record<string, number>) =>
  linesOfRules(Object.entries(state).map(([id, version]) => ({ ...rule(id), version })))

function change(rules: LiveRules, lines: readonly Line[]): number {
  const [text] = textsOf(lines, 1)
  return rules.apply([rules.changeTo(0, hashOfChunk(text!), text!)], { version: rules.version + 1, hash: 'h' })
}

function rule(rule_id: string, conditions: object = { all: [{ fact: 'severity', operator: 'equal', value: 'HIGH' }] }) {
  const common = { team_id: 'payments', name: 'rule', version: 1, endpoint_ids: [], notify_resolved: true }
  return { ...common, rule_id, conditions } as SnapshotRule
}
