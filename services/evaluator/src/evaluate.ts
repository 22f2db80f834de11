import { problemKey } from '@tocsin/contracts/alert'
import { schemaVersion } from '@tocsin/contracts/messages'
import type { IncomingAlert } from './decode-alert.ts'
import type { LiveRules } from './live-rules.ts'

/** A record for `alerts.matched`. */
export interface MatchRecord {
  key: string
  value: string
  headers: Record<string, string>
}

/**
 * One record per team whose rules hold, for each alert, in the order of the alerts. The value is a `Match` of the
 * contracts, put together from texts: an alert is made JSON once, however many teams it concerns, and a rule once,
 * however many alerts it matches.
 */
export function evaluate(rules: LiveRules, alerts: readonly IncomingAlert[], matchedAt: Date): MatchRecord[] {
  const records: MatchRecord[] = []
  const tail = `"snapshot_version":${rules.version},"matched_at":"${matchedAt.toISOString()}"}`
  for (const { alert, headers } of alerts) {
    const byTeam = rules.match(alert)
    if (byTeam === undefined) continue
    const problem = problemKey(alert)
    const alertText = JSON.stringify(alert)
    const ownHeaders = { ...headers, schema_version: String(schemaVersion) }
    for (const [team, ruleTexts] of byTeam) {
      records.push({
        key: `${team}:${problem}`,
        value: `{"schema_version":${schemaVersion},"team_id":${JSON.stringify(team)},"alert":${alertText},"rules":[${ruleTexts.join()}],${tail}`,
        headers: ownHeaders,
      })
    }
  }
  return records
}
