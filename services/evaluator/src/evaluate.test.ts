import { matchSchema } from '@tocsin/contracts/messages'
import type { SnapshotRule } from '@tocsin/contracts/snapshot'
import { describe, expect, test } from 'vitest'
import { anyAlert, anyRule, linesOfRules, liveRulesOf } from '../test/rules-in-chunks.ts'
import type { IncomingAlert } from './decode-alert.ts'
import { apart, evaluate, type MatchRecord } from './evaluate.ts'
import type { LiveRules } from './live-rules.ts'

const matchedAt = new Date('2026-03-01T12:00:00.500Z')

describe('one record per alert', () => {
  test('the rules of a team that hold stand together, with those of other teams beside them', async () => {
    const rules = await liveRules([
      rule('r1', 'payments', 'severity', 'HIGH'),
      rule('r2', 'payments', 'source', 'api'),
      rule('r3', 'search', 'severity', 'HIGH'),
      rule('r4', 'search', 'severity', 'LOW'),
    ])
    const records = evaluate(rules, [incoming()], matchedAt)
    expect(records).toHaveLength(1)
    expect(told(records)).toEqual([
      ['payments', ['r1', 'r2']],
      ['search', ['r3']],
    ])
  })

  test('an alert that no rule holds for makes nothing', async () => {
    const rules = await liveRules([rule('r1', 'payments', 'severity', 'LOW')])
    expect(evaluate(rules, [incoming(), incoming()], matchedAt)).toEqual([])
  })

  test('with no rule at all nothing is made', async () => {
    expect(evaluate(await liveRules([]), [incoming()], matchedAt)).toEqual([])
  })

  test('records come in the order of their alerts', async () => {
    const rules = await liveRules([rule('r1', 'payments', 'severity', 'HIGH')])
    const alerts = ['a', 'b', 'c'].map(alert_id => incoming({ alert_id }))
    const ids = evaluate(rules, alerts, matchedAt).map(record => decoded(record).alert.alert_id)
    expect(ids).toEqual(['a', 'b', 'c'])
  })

  test('taken apart there is one for each team, that says the same', async () => {
    const rules = await liveRules([
      rule('r1', 'payments', 'severity', 'HIGH'),
      rule('r2', 'search', 'severity', 'HIGH'),
    ])
    const [record] = evaluate(rules, [incoming()], matchedAt)
    const single = apart(record!)
    expect(single.map(one => told([one]))).toEqual([[['payments', ['r1']]], [['search', ['r2']]]])
    const { teams, ...whole } = decoded(record!)
    expect(single.map(decoded)).toEqual(teams.map(team => ({ ...whole, teams: [team] })))
  })
})

describe('more rules for one alert than a record can hold', () => {
  const endpoint_ids = Array.from({ length: 20 }, (_, index) => `end_${index}${'x'.repeat(30)}`)
  const manyOf = (team: string, count: number) =>
    Array.from({ length: count }, (_, index) => ({
      ...rule(`${team}_${index}`, team, 'severity', 'HIGH'),
      name: 'ü'.repeat(80),
      endpoint_ids,
    }))

  test('come in several in a row, with the same key, each rule once', async () => {
    const many = [...manyOf('payments', 1_500), ...manyOf('search', 700), rule('o', 'ops', 'severity', 'HIGH')]
    const records = evaluate(await liveRules(many), [incoming()], matchedAt)
    expect(records.length).toBeGreaterThan(6)
    expect(new Set(records.map(record => record.key))).toEqual(new Set(['a1']))
    const all = records.flatMap(record => decoded(record).teams.flatMap(team => team.rules.map(one => one.rule_id)))
    expect(all.toSorted()).toEqual(many.map(one => one.rule_id).toSorted())
  })

  test('each fits into a broker’s record beside the largest alert, and all but the last of a team say that there is more', async () => {
    const rules = await liveRules([...manyOf('payments', 1_500), ...manyOf('search', 700), ...manyOf('ops', 3)])
    const records = evaluate(rules, [incoming({ context: { text: 'x'.repeat(512 * 1024) } })], matchedAt)
    for (const record of records) expect(Buffer.byteLength(record.value)).toBeLessThan(800 * 1024)
    const byTeam = Map.groupBy(
      records.flatMap(record => decoded(record).teams),
      team => team.team_id,
    )
    expect([...byTeam.keys()].toSorted()).toEqual(['ops', 'payments', 'search'])
    for (const parts of byTeam.values()) {
      expect(parts.map(part => part.more_rules)).toEqual(
        parts.map((_, index) => (index < parts.length - 1 ? true : undefined)),
      )
    }
  })

  test('a rule that is larger than that by itself has a record for itself', async () => {
    const large = { ...rule('large', 'payments', 'severity', 'HIGH'), name: 'x'.repeat(300_000) }
    const rules = await liveRules([large, { ...large, rule_id: 'large_too' }, rule('s', 'search', 'severity', 'HIGH')])
    const records = evaluate(rules, [incoming()], matchedAt)
    expect(told(records)).toEqual([
      ['payments', ['large']],
      ['payments', ['large_too']],
      ['search', ['s']],
    ])
    expect(records).toHaveLength(3)
  })
})

describe('a record is a match of the contract', () => {
  test('with the whole alert, the rules as they were matched, and the snapshot they came from', async () => {
    const alert = { alert_id: 'a"1', dedup_key: 'disk\n', context: { 'k"': [1, { deep: 'Ü ' }], __proto__x: null } }
    const rules = await liveRules([rule('r1', 'pay"ments', 'severity', 'HIGH')], 42)
    const [record] = evaluate(rules, [incoming(alert)], matchedAt)

    expect(decoded(record!)).toEqual({
      schema_version: 1,
      alert: incoming(alert).alert,
      teams: [
        {
          team_id: 'pay"ments',
          rules: [{ rule_id: 'r1', name: 'name of r1', version: 3, endpoint_ids: ['end_1'] }],
        },
      ],
      snapshot_version: 42,
      matched_at: '2026-03-01T12:00:00.500Z',
    })
  })

  test('its key is the problem, which so stays in order', async () => {
    const rules = await liveRules([rule('r1', 'payments', 'severity', 'HIGH')])
    const alerts = [incoming({ alert_id: 'a1' }), incoming({ alert_id: 'a2', dedup_key: 'disk' })]
    expect(evaluate(rules, alerts, matchedAt).map(record => record.key)).toEqual(['a1', 'disk'])
  })

  test('its headers are those of the alert, and the version of its own shape', async () => {
    const rules = await liveRules([rule('r1', 'payments', 'severity', 'HIGH')])
    const traced = incoming({}, { traceparent: '00-aa-bb-01', origin: 'http' })
    expect(evaluate(rules, [traced, incoming()], matchedAt).map(record => record.headers)).toEqual([
      { traceparent: '00-aa-bb-01', origin: 'http', schema_version: '1' },
      { schema_version: '1' },
    ])
  })
})

describe('resolved alerts', () => {
  test('match only rules that want to hear of it', async () => {
    const rules = await liveRules([
      { ...rule('wants', 'payments', 'severity', 'HIGH'), notify_resolved: true },
      { ...rule('does-not', 'payments', 'severity', 'HIGH'), notify_resolved: false },
      { ...rule('alone', 'search', 'severity', 'HIGH'), notify_resolved: false },
    ])
    const toldOf = (status: 'firing' | 'resolved') => told(evaluate(rules, [incoming({ status })], matchedAt))
    expect(toldOf('firing')).toEqual([
      ['payments', ['does-not', 'wants']],
      ['search', ['alone']],
    ])
    expect(toldOf('resolved')).toEqual([['payments', ['wants']]])
  })
})

function liveRules(rules: SnapshotRule[], version = 1): Promise<LiveRules> {
  return liveRulesOf(linesOfRules(rules), { version })
}

const rule = (rule_id: string, team_id: string, fact: string, value: string): SnapshotRule =>
  anyRule(rule_id, {
    team_id,
    version: 3,
    endpoint_ids: ['end_1'],
    conditions: { all: [{ fact, operator: 'equal', value }] },
  })

const incoming = (
  alert: Partial<IncomingAlert['alert']> = {},
  headers: Record<string, string> = {},
): IncomingAlert => ({
  alert: { ...anyAlert, ...alert },
  headers,
})

const told = (records: readonly MatchRecord[]) =>
  records
    .flatMap(record =>
      decoded(record).teams.map(team => [team.team_id, team.rules.map(one => one.rule_id).toSorted()] as const),
    )
    .toSorted(([a], [b]) => (a < b ? -1 : 1))

function decoded(record: MatchRecord) {
  return matchSchema.parse(JSON.parse(record.value))
}
