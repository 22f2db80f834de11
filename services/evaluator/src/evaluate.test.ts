import { matchSchema } from '@tocsin/contracts/messages'
import type { SnapshotRule } from '@tocsin/contracts/snapshot'
import { describe, expect, test } from 'vitest'
import { anyAlert, anyRule, linesOfRules, liveRulesOf } from '../test/rules-in-chunks.ts'
import type { IncomingAlert } from './decode-alert.ts'
import { evaluate, type MatchRecord } from './evaluate.ts'
import type { LiveRules } from './live-rules.ts'

const matchedAt = new Date('2026-03-01T12:00:00.500Z')

describe('one record per team and alert', () => {
  test('the rules of a team that hold share a record, other teams have one of their own', async () => {
    const rules = await liveRules([
      rule('r1', 'payments', 'severity', 'HIGH'),
      rule('r2', 'payments', 'source', 'api'),
      rule('r3', 'search', 'severity', 'HIGH'),
      rule('r4', 'search', 'severity', 'LOW'),
    ])
    const matches = evaluate(rules, [incoming()], matchedAt).map(decoded)
    expect(matches.map(match => [match.team_id, match.rules.map(matched => matched.rule_id).sort()])).toEqual([
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
    const rules = await liveRules([
      rule('r1', 'payments', 'severity', 'HIGH'),
      rule('r2', 'search', 'severity', 'HIGH'),
    ])
    const alerts = ['a', 'b', 'c'].map(alert_id => incoming({ alert_id }))
    const ids = evaluate(rules, alerts, matchedAt).map(record => decoded(record).alert.alert_id)
    expect(ids).toEqual(['a', 'a', 'b', 'b', 'c', 'c'])
  })
})

describe('a team with more rules for one alert than a record can hold', () => {
  const endpoint_ids = Array.from({ length: 20 }, (_, index) => `end_${index}${'x'.repeat(30)}`)
  const many = Array.from({ length: 1_500 }, (_, index) => ({
    ...rule(`r${index}`, 'payments', 'severity', 'HIGH'),
    name: 'ü'.repeat(80),
    endpoint_ids,
  }))

  test('gets several in a row, with the same key, each rule once; the other teams are not concerned', async () => {
    const rules = await liveRules([...many, rule('s_other', 'search', 'severity', 'HIGH')])
    const records = evaluate(rules, [incoming()], matchedAt)
    const own = records.filter(record => record.team === 'payments')
    expect(own.length).toBeGreaterThan(4)
    expect(records.slice(0, own.length)).toEqual(own)
    expect(new Set(own.map(record => record.key))).toEqual(new Set(['payments:a1']))
    const told = own.flatMap(record => decoded(record).rules.map(one => one.rule_id))
    expect(told.toSorted()).toEqual(many.map(one => one.rule_id).toSorted())
    expect(decoded(records.at(-1)!)).toMatchObject({ team_id: 'search', rules: [{ rule_id: 's_other' }] })
  })

  test('each fits into a broker’s record beside the largest alert, and all but the last say that there is more', async () => {
    const rules = await liveRules(many)
    const records = evaluate(rules, [incoming({ context: { text: 'x'.repeat(512 * 1024) } })], matchedAt)
    for (const record of records) expect(Buffer.byteLength(record.value)).toBeLessThan(800 * 1024)
    expect(records.map(record => decoded(record).more_rules)).toEqual(
      records.map((_, index) => (index < records.length - 1 ? true : undefined)),
    )
  })

  test('a rule that is larger than that by itself has a record for itself', async () => {
    const large = { ...rule('large', 'payments', 'severity', 'HIGH'), name: 'x'.repeat(300_000) }
    const rules = await liveRules([large, { ...large, rule_id: 'large_too' }])
    const records = evaluate(rules, [incoming()], matchedAt)
    expect(records.map(record => decoded(record).rules.length)).toEqual([1, 1])
  })
})

describe('a record is a match of the contract', () => {
  test('with the whole alert, the rules as they were matched, and the snapshot they came from', async () => {
    const alert = { alert_id: 'a"1', dedup_key: 'disk\n', context: { 'k"': [1, { deep: 'Ü ' }], __proto__x: null } }
    const rules = await liveRules([rule('r1', 'pay"ments', 'severity', 'HIGH')], 42)
    const [record] = evaluate(rules, [incoming(alert)], matchedAt)

    expect(decoded(record!)).toEqual({
      schema_version: 1,
      team_id: 'pay"ments',
      alert: incoming(alert).alert,
      rules: [{ rule_id: 'r1', name: 'name of r1', version: 3, endpoint_ids: ['end_1'] }],
      snapshot_version: 42,
      matched_at: '2026-03-01T12:00:00.500Z',
    })
  })

  test('its key is the team and the problem, so that one problem stays in order', async () => {
    const rules = await liveRules([rule('r1', 'payments', 'severity', 'HIGH')])
    const alerts = [incoming({ alert_id: 'a1' }), incoming({ alert_id: 'a2', dedup_key: 'disk' })]
    expect(evaluate(rules, alerts, matchedAt).map(record => record.key)).toEqual(['payments:a1', 'payments:disk'])
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
    const told = (status: 'firing' | 'resolved') =>
      evaluate(rules, [incoming({ status })], matchedAt)
        .flatMap(record => decoded(record).rules.map(one => `${record.team} ${one.rule_id}`))
        .sort()
    expect(told('firing')).toEqual(['payments does-not', 'payments wants', 'search alone'])
    expect(told('resolved')).toEqual(['payments wants'])
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

function decoded(record: MatchRecord) {
  return matchSchema.parse(JSON.parse(record.value))
}
