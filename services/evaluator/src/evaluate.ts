import { problemKey } from '@tocsin/contracts/alert'
import { schemaVersion } from '@tocsin/contracts/messages'
import type { IncomingAlert } from './decode-alert.ts'
import type { LiveRules } from './live-rules.ts'

/** A record for `alerts.matched`, and what it came from, for the case that it cannot be written. */
export interface MatchRecord {
  alertIndex: number
  team: string
  key: string
  value: string
  headers: Record<string, string>
}

/**
 * Brokers take 1 MiB, of which an alert may be half. What a team's rules for one alert need beyond this goes into
 * further records: all of them are told, and nobody else pays for it.
 */
const rulesBytesMax = 256 * 1024

/**
 * One record per team whose rules hold, for each alert, in the order of the alerts; several in a row for a team with
 * very many rules. The value is a `Match` of the contracts, put together from texts: an alert is made JSON once, however
 * many teams it concerns, and a rule once, however many alerts it matches.
 */
export function evaluate(rules: LiveRules, alerts: readonly IncomingAlert[], matchedAt: Date): MatchRecord[] {
  const records: MatchRecord[] = []
  const tail = `"snapshot_version":${rules.version},"matched_at":"${matchedAt.toISOString()}"}`
  for (const [alertIndex, { alert, headers: alertHeaders }] of alerts.entries()) {
    const byTeam = rules.match(alert)
    if (byTeam === undefined) continue
    const problem = problemKey(alert)
    const alertText = JSON.stringify(alert)
    const headers = { ...alertHeaders, schema_version: String(schemaVersion) }
    for (const [team, ruleTexts] of byTeam) {
      const key = `${team}:${problem}`
      const head = `{"schema_version":${schemaVersion},"team_id":${JSON.stringify(team)},"alert":${alertText},"rules":[`
      const parts = inParts(ruleTexts)
      for (const [index, part] of parts.entries()) {
        const more = index < parts.length - 1 ? '"more_rules":true,' : ''
        records.push({ alertIndex, team, key, value: `${head}${part.join()}],${more}${tail}`, headers })
      }
    }
  }
  return records
}

function inParts(ruleTexts: readonly string[]): string[][] {
  const parts: string[][] = []
  let part: string[] = []
  let bytes = 0
  for (const text of ruleTexts) {
    const textBytes = Buffer.byteLength(text)
    if (part.length > 0 && bytes + textBytes > rulesBytesMax) {
      parts.push(part)
      part = []
      bytes = 0
    }
    part.push(text)
    bytes += textBytes
  }
  parts.push(part)
  return parts
}
