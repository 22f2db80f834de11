import type { Match } from '@tocsin/contracts/messages'
import { expect, test } from 'vitest'
import { mergeMatches } from './merge-matches.ts'

function item(team: string, alertId: string, ...ruleIds: string[]): { match: Match } {
  return {
    match: {
      schema_version: 1,
      team_id: team,
      alert: {
        alert_id: alertId,
        severity: 'HIGH',
        source: 'api',
        name: 'timeout',
        context: {},
        event_ts: '2026-11-21T12:00:00Z',
        status: 'firing',
      },
      rules: ruleIds.map(rule_id => ({ rule_id, name: rule_id, version: 1, endpoint_ids: [] })),
      snapshot_version: 1,
      matched_at: '2026-11-21T12:00:00Z',
    },
  }
}

const summary = (items: { match: Match }[]) =>
  items.map(({ match }) => [match.team_id, match.alert.alert_id, ...match.rules.map(rule => rule.rule_id)].join(' '))

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
  const part = { match: { ...first.match, more_rules: true as const } }
  const last = item('a', '1', 'r2')
  const more = (...items: { match: Match }[]) => mergeMatches(items).map(({ match }) => match.more_rules)
  expect(more(part)).toEqual([true])
  expect(more(part, part)).toEqual([true])
  expect(more(part, last)).toEqual([undefined])
  expect(more(last, part)).toEqual([undefined])
  expect(more(part, last, part)).toEqual([undefined])
})

test('ids that look alike when put together stay apart', () => {
  expect(mergeMatches([item('a', 'b c', 'r'), item('a b', 'c', 'r'), item('a', 'b","c', 'r')])).toHaveLength(3)
})
