import type { Evidence, HandedOver, Row } from './evidence.ts'
import type { Entry } from './ledger.ts'
import type { Teams } from './teams.ts'

export interface Verdict {
  /** What must not be, in words; each names one thing. */
  readonly problems: readonly string[]
  readonly summary: string
}

const keyOf = (teamId: string, alertId: string) => `${teamId} ${alertId}`

/** Compares what was acknowledged with what became of it. */
export function judge(ledger: readonly Entry[], teams: Teams, evidence: Evidence): Verdict {
  const { rows, handedOver, deadLetters } = evidence
  const byKey = new Map(rows.map(row => [keyOf(row.team_id, row.alert_id), row]))
  const first = firstHandOvers(handedOver)
  const order = judgeOrder(ledger, byKey, first)
  const problems = [
    ...lost(ledger, byKey),
    ...rows.filter(row => row.copies !== 1).map(row => `${row.copies} rows of ${tellRow(row)}`),
    ...invented(ledger, rows),
    ...rows.flatMap(row => judgeRow(row, teams, evidence, first)),
    ...inventedRecords(handedOver, rows),
    ...order.problems,
    ...(deadLetters.records + deadLetters.rows > 0
      ? [`${deadLetters.records} dead letters, ${deadLetters.rows} of them in the table`]
      : []),
  ]
  const acknowledged = ledger.filter(entry => entry.acknowledgedAt !== undefined).length
  const summary = [
    `${acknowledged} of ${ledger.length} alerts acknowledged`,
    `${rows.length} notifications`,
    `${handedOver.length - first.size} handed over again`,
    `${order.compared} pairs in order, ${order.bySweep} handed over by the sweep and not compared`,
  ].join(', ')
  return { problems, summary }
}

/** An alert that nobody acknowledged may be there or not, so only the others are asked for. */
function lost(ledger: readonly Entry[], rows: ReadonlyMap<string, Row>): string[] {
  return ledger
    .filter(entry => entry.acknowledgedAt !== undefined)
    .flatMap(({ alert, teams }) => {
      const missing = teams.filter(team => !rows.has(keyOf(team, alert.alert_id)))
      return missing.map(
        team => `no row: ${team}, alert ${alert.alert_id} (${alert.status}, ${alert.dedup_key ?? '–'})`,
      )
    })
}

function invented(ledger: readonly Entry[], rows: readonly Row[]): string[] {
  const wanted = new Set(ledger.flatMap(({ alert, teams }) => teams.map(team => keyOf(team, alert.alert_id))))
  return rows.filter(row => !wanted.has(keyOf(row.team_id, row.alert_id))).map(row => `invented: ${tellRow(row)}`)
}

/** Handed over, and told if there is anybody to tell: under one `webhook-id`, as often as it was. */
function judgeRow(row: Row, teams: Teams, { told }: Evidence, first: ReadonlyMap<string, HandedOver>): string[] {
  const status = teams.withEndpoint.has(row.team_id) ? 'delivered' : 'skipped'
  const deliveries = teams.withEndpoint.has(row.team_id) ? 1 : 0
  const ids = told.get(row.notification_id)?.size ?? 0
  return [
    ...(row.status === status ? [] : [`not ${status}: ${tellRow(row)}`]),
    ...(first.has(row.notification_id) ? [] : [`not in notifications.ready: ${tellRow(row)}`]),
    ...(ids === deliveries ? [] : [`told by ${ids} deliveries instead of ${deliveries}: ${tellRow(row)}`]),
  ]
}

function inventedRecords(handedOver: readonly HandedOver[], rows: readonly Row[]): string[] {
  const known = new Set(rows.map(row => row.notification_id))
  const strangers = new Set(handedOver.map(record => record.notificationId)).difference(known)
  return Array.from(strangers, id => `handed over without a row: ${id}`)
}

/** A repeat says nothing new to anybody, so the first record of a notification is its place. */
function firstHandOvers(handedOver: readonly HandedOver[]): Map<string, HandedOver> {
  const first = new Map<string, HandedOver>()
  for (const record of handedOver) {
    const other = first.get(record.notificationId)
    if (other === undefined || record.offset < other.offset) first.set(record.notificationId, record)
  }
  return first
}

/**
 * A problem is handed over as firing before it is as resolved, whatever dies: records are repeated, but from where they
 * were read on, and never skipped. Promised where the resolve was sent after the acknowledgement of what it resolves; not of
 * what the sweep hands over, which knows no order.
 */
function judgeOrder(
  ledger: readonly Entry[],
  rows: ReadonlyMap<string, Row>,
  first: ReadonlyMap<string, HandedOver>,
): { problems: string[]; compared: number; bySweep: number } {
  const problems: string[] = []
  let [compared, bySweep] = [0, 0]
  for (const { alert, firing, sentAt = 0, teams } of ledger) {
    if (firing === undefined || !((firing.acknowledgedAt ?? Number.POSITIVE_INFINITY) < sentAt)) continue
    for (const team of teams) {
      const [before, after] = [firing.alert, alert].map(({ alert_id }) =>
        first.get(rows.get(keyOf(team, alert_id))?.notification_id ?? ''),
      )
      if (before === undefined || after === undefined) continue
      if (before.bySweep || after.bySweep) bySweep++
      else compared++
      if (before.partition === after.partition && (before.bySweep || after.bySweep || before.offset < after.offset))
        continue
      const places = `${before.partition}/${before.offset}, ${after.partition}/${after.offset}`
      problems.push(`resolved before firing: ${team}, ${alert.dedup_key} (${places})`)
    }
  }
  return { problems, compared, bySweep }
}

const tellRow = (row: Row) => `${row.team_id}, alert ${row.alert_id}, ${row.notification_id} (${row.status})`
