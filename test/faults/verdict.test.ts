import { expect, test } from 'vitest'
import type { Evidence, Row } from './evidence.ts'
import type { Entry } from './ledger.ts'
import type { Teams } from './teams.ts'
import { judge } from './verdict.ts'

const teams = { withEndpoint: new Set(['hooked']), all: ['hooked', 'silent'] } as unknown as Teams

function entry(alert_id: string, firing?: Entry): Entry {
  const status = firing ? 'resolved' : 'firing'
  const alert = { alert_id, status, dedup_key: 'problem' } as Entry['alert']
  return { alert, teams: ['hooked', 'silent'], firing, sentAt: firing ? 3 : 1, acknowledgedAt: firing ? 4 : 2 }
}

const row = (team_id: string, alert_id: string): Row => ({
  notification_id: `${team_id}-${alert_id}`,
  team_id,
  alert_id,
  status: team_id === 'hooked' ? 'delivered' : 'skipped',
  copies: 1,
})

/** A problem that fired and was resolved, and all that must have come of it. */
const [fired, resolved] = [entry('b-first'), entry('a-second', entry('b-first'))]
const ledger = [fired, { ...resolved, firing: fired }]
const rows = [row('hooked', 'b-first'), row('silent', 'b-first'), row('hooked', 'a-second'), row('silent', 'a-second')]
const records = rows.map((each, offset) => ({
  notificationId: each.notification_id,
  partition: 0,
  offset,
  bySweep: false,
}))
const good: Evidence = {
  rows,
  handedOver: records,
  told: new Map([
    ['hooked-b-first', new Set(['one'])],
    ['hooked-a-second', new Set(['two'])],
  ]),
  deadLetters: { records: 0, rows: 0 },
}
const problemsOf = (evidence: Partial<Evidence>, entries = ledger) =>
  judge(entries, teams, { ...good, ...evidence }).problems

test('what was handed over twice and told under one id is right', () => {
  expect(problemsOf({})).toEqual([])
  expect(problemsOf({ handedOver: [...records, { ...records[0]!, offset: 9 }] })).toEqual([])
})

test('what nobody acknowledged may be there, or not', () => {
  const { acknowledgedAt: _, ...unknown } = entry('c-third')
  expect(problemsOf({}, [...ledger, unknown])).toEqual([])
  expect(problemsOf({ rows: rows.slice(0, 2), handedOver: records.slice(0, 2) }, [fired])).toEqual([])
})

test.each<[string, Partial<Evidence>, RegExp[]]>([
  ['a lost notification', { rows: rows.slice(1), handedOver: records.slice(1) }, [/^no row: hooked, alert b-first/]],
  ['one that is there twice', { rows: rows.with(0, { ...rows[0]!, copies: 2 }) }, [/^2 rows of hooked, alert b-first/]],
  [
    'one of an alert that was never sent',
    {
      rows: [...rows, row('silent', 'never')],
      handedOver: [...records, { ...records[0]!, notificationId: 'silent-never' }],
    },
    [/^invented: silent, alert never/],
  ],
  [
    'one that waits',
    { rows: rows.with(1, { ...rows[1]!, status: 'pending' }) },
    [/^not skipped: silent, alert b-first/],
  ],
  [
    'one that is not in the topic',
    { handedOver: records.slice(0, 3) },
    [/^not in notifications.ready: silent, alert a-/],
  ],
  [
    'a record without a row',
    { handedOver: [...records, { ...records[0]!, notificationId: 'strange' }] },
    [/^handed over without a row: strange/],
  ],
  ['nobody told', { told: new Map([['hooked-b-first', new Set(['one'])]]) }, [/^told by 0 deliveries instead of 1/]],
  [
    'two deliveries',
    { told: new Map([...good.told, ['hooked-b-first', new Set(['one', 'three'])]]) },
    [/^told by 2 deliveries instead of 1: hooked, alert b-first/],
  ],
  ['a dead letter', { deadLetters: { records: 1, rows: 0 } }, [/^1 dead letters/]],
  [
    'a resolve before what it resolves',
    { handedOver: records.with(0, { ...records[0]!, offset: 8 }) },
    [/^resolved before firing: hooked, problem \(0\/8, 0\/2\)/],
  ],
  [
    'a problem on two partitions, even by the sweep',
    { handedOver: records.with(0, { ...records[0]!, partition: 3, bySweep: true }) },
    [/^resolved before firing: hooked/],
  ],
])('is told: %s', (_, evidence, wanted) => {
  expect(problemsOf(evidence)).toEqual(wanted.map(pattern => expect.stringMatching(pattern)))
})

test('what the sweep hands over has no order', () => {
  const handedOver = records.with(0, { ...records[0]!, offset: 8, bySweep: true })
  expect(problemsOf({ handedOver })).toEqual([])
})
