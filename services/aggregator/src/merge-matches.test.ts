import { expect, test } from 'vitest'
import { type IncomingMatch, mergeMatches } from './merge-matches.ts'

function item(teamId: string, alertId: string, ...ruleIds: string[]): IncomingMatch {
  return {
    teamId,
    alert: { alertId, dedupKey: undefined, problem: alertId, since: 0, json: '{}', headers: {} },
    rules: ruleIds.map(rule_id => ({ rule_id, name: rule_id, version: 1, endpoint_ids: [] })),
    moreRules: false,
  }
}

const summary = (matches: IncomingMatch[]) =>
  matches.map(({ teamId, alert, rules }) => [teamId, alert.alertId, ...rules.map(rule => rule.rule_id)].join(' '))

test('one row per team and alert, in the order in which they came first', () => {
  const items = [item('a', '1', 'r1'), item('b', '1', 'r2'), item('a', '2', 'r1'), item('a', '1', 'r1')]
  expect(summary(mergeMatches(items))).toEqual(['a 1 r1', 'b 1 r2', 'a 2 r1'])
})

test('rules of the same alert come together, each once', () => {
  const items = [item('a', '1', 'r1', 'r2'), item('a', '1', 'r2', 'r3'), item('a', '1', 'r3', 'r4')]
  expect(summary(mergeMatches(items))).toEqual(['a 1 r1 r2 r3 r4'])
})

test('more rules are to come until the last part is there, wherever it stands', () => {
  const first = item('a', '1', 'r1')
  const part = { ...first, moreRules: true }
  const last = item('a', '1', 'r2')
  const more = (...items: IncomingMatch[]) => mergeMatches(items).map(({ moreRules }) => moreRules)
  expect(more(part)).toEqual([true])
  expect(more(part, part)).toEqual([true])
  expect(more(part, last)).toEqual([false])
  expect(more(last, part)).toEqual([false])
  expect(more(part, last, part)).toEqual([false])
})

test('ids that look alike when put together stay apart', () => {
  expect(mergeMatches([item('a', 'b c', 'r'), item('a b', 'c', 'r'), item('a', 'b","c', 'r')])).toHaveLength(3)
})
