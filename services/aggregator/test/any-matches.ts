import { problemKey } from '@tocsin/contracts/alert'
import { partitionOf } from '@tocsin/kafka/partition-of'
import type { Queryable } from '@tocsin/postgres/database'
import { eventually } from '@tocsin/testkit/eventually'
import type { TopicReader } from '@tocsin/testkit/topic-reader'
import fc from 'fast-check'
import { expect } from 'vitest'
import { alertOf, matchOf, type OneMatch } from './matches.ts'

const teams = ['payments', 'search']

/** Matches of a few alerts: the same ones again and again, for one team or two, with the same rules or others. */
export const plannedMatches = fc.array(
  fc.record({
    alert: fc.nat(7),
    problem: fc.option(fc.nat(1)),
    team: fc.nat(teams.length - 1),
    rules: fc.uniqueArray(fc.nat(3), { minLength: 1 }),
  }),
  { minLength: 1, maxLength: 15 },
)

let runs = 0

/** With ids that no other run has. An alert is the same each time that it comes. */
export function matchesOf(planned: typeof plannedMatches extends fc.Arbitrary<infer Plan> ? Plan : never): OneMatch[] {
  const run = runs++
  const alerts = new Map<number, OneMatch['alert']>()
  return planned.map(({ alert, problem, team, rules }) => {
    const named = problem === null ? {} : { dedup_key: `run ${run} problem ${problem}` }
    if (!alerts.has(alert)) alerts.set(alert, alertOf({ alert_id: `run ${run} alert ${alert}`, ...named }))
    const ruleIds = rules.map(rule => `r${rule}`)
    return matchOf(alerts.get(alert)!, ruleIds, teams[team])
  })
}

/** What came out, by team and alert. */
export interface Outcome {
  notification: string
  status: string
  rules: string[]
}

/**
 * Waits until these matches are what they must become, once in effect: a row for each team and alert, handed over, with
 * all its rules; and on `notifications.ready` records of that row and no other, all on the partition of their problem (P4).
 */
export async function expectOnceInEffect(
  database: Queryable,
  ready: TopicReader,
  partitions: number,
  matches: readonly OneMatch[],
): Promise<void> {
  const wanted = Map.groupBy(matches, ({ team_id, alert }) => `${team_id} ${alert.alert_id}`)
  const alertIds = matches.map(({ alert }) => alert.alert_id)
  const rows = await eventually(
    async () => {
      const rows = await rowsOf(database, alertIds)
      expect(rows.map(row => [row.of, row.status, row.rules])).toEqual(
        Array.from(wanted, ([of, ofAlert]) => [of, 'ready', rulesOf(ofAlert)]).toSorted(byFirst),
      )
      return rows
    },
    { withinMs: 60_000, everyMs: 20 },
  )
  await eventually(
    () => {
      const records = Map.groupBy(ready.records, ({ value }) => JSON.parse(value).notification_id as string)
      for (const { of, notification } of rows) {
        const [{ team_id, alert }] = wanted.get(of)! as [OneMatch, ...OneMatch[]]
        const key = `${team_id}:${problemKey(alert)}`
        const places = records.get(notification)?.map(record => [record.key, record.partition])
        const [place] = places ?? []
        expect(place).toEqual([key, partitionOf(Buffer.from(key), partitions)])
        expect(places?.every(other => other[1] === place![1])).toBe(true)
      }
    },
    { withinMs: 60_000, everyMs: 20 },
  )
}

const byFirst = ([a]: readonly unknown[], [b]: readonly unknown[]) => (String(a) < String(b) ? -1 : 1)

const rulesOf = (matches: readonly OneMatch[]) =>
  [...new Set(matches.flatMap(match => match.rules.map(rule => rule.rule_id)))].toSorted()

async function rowsOf(database: Queryable, alertIds: readonly string[]) {
  const { rows } = await database.query<{
    notification_id: string
    team_id: string
    alert_id: string
    status: string
    rules: { rule_id: string }[]
  }>(
    `SELECT notification_id, team_id, alert_id, CASE WHEN h.handover_id IS NULL THEN status ELSE 'pending' END AS status, rules
     FROM notifications LEFT JOIN handovers h USING (handover_id) WHERE alert_id = ANY($1)`,
    [alertIds],
  )
  return rows
    .map(row => ({
      of: `${row.team_id} ${row.alert_id}`,
      notification: row.notification_id,
      status: row.status,
      rules: row.rules.map(rule => rule.rule_id).toSorted(),
    }))
    .toSorted((a, b) => (a.of < b.of ? -1 : 1))
}

/** Nothing was made or handed over that is not of one of these matches, and nothing of a match is there twice. */
export async function expectNothingElse(
  database: Queryable,
  ready: TopicReader,
  matches: readonly OneMatch[],
): Promise<void> {
  const wanted = new Set(matches.map(({ team_id, alert }) => `${team_id} ${alert.alert_id}`))
  const { rows } = await database.query<{ notification_id: string; of: string }>(
    `SELECT notification_id, team_id || ' ' || alert_id AS of FROM notifications`,
  )
  expect(rows).toHaveLength(wanted.size)
  expect(new Set(rows.map(row => row.of))).toEqual(wanted)
  const handedOver = new Set(ready.records.map(({ value }) => JSON.parse(value).notification_id as string))
  expect(handedOver).toEqual(new Set(rows.map(row => row.notification_id)))
}
