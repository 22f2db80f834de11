import { problemKey } from '@tocsin/contracts/alert'
import { schemaVersion } from '@tocsin/contracts/messages'
import type { IncomingAlert } from './decode-alert.ts'
import type { LiveRules } from './live-rules.ts'

/** A record for `alerts.matched`, and what it came from, for the case that it cannot be written. */
export interface MatchRecord {
  alertIndex: number
  /** What it is told of each team; the value is the frame around all of them. */
  parts: TeamPart[]
  frame: { head: string; tail: string }
  key: string
  value: string
  headers: Record<string, string>
}

interface TeamPart {
  team: string
  text: string
}

/**
 * Brokers take 1 MiB, of which an alert may be half. What the rules for one alert need beyond this goes into further
 * records: all of them are told.
 */
const rulesBytesMax = 256 * 1024

/**
 * One record for each alert that rules hold for, with all teams that have them, in the order of the alerts; several in a row
 * for very many rules. The value is a `Match` of the contracts, put together from texts: an alert is made JSON once, however
 * many teams it concerns, and a rule once, however many alerts it matches.
 */
export function evaluate(rules: LiveRules, alerts: readonly IncomingAlert[], matchedAt: Date): MatchRecord[] {
  const records: MatchRecord[] = []
  const tail = `],"snapshot_version":${rules.version},"matched_at":"${matchedAt.toISOString()}"}`
  for (const [alertIndex, { alert, headers: alertHeaders }] of alerts.entries()) {
    const byTeam = rules.match(alert)
    if (byTeam === undefined) continue
    const key = problemKey(alert)
    const head = `{"schema_version":${schemaVersion},"alert":${JSON.stringify(alert)},"teams":[`
    const headers = { ...alertHeaders, schema_version: String(schemaVersion) }
    for (const parts of inParts(byTeam)) {
      records.push(withValue({ alertIndex, parts, frame: { head, tail }, key, headers }))
    }
  }
  return records
}

/** The same for one team each: what is too large for a record may be so for one of them only. */
export function apart(record: MatchRecord): MatchRecord[] {
  return record.parts.map(part => withValue({ ...record, parts: [part] }))
}

function withValue(record: Omit<MatchRecord, 'value'>): MatchRecord {
  const { head, tail } = record.frame
  return { ...record, value: `${head}${record.parts.map(({ text }) => text).join()}${tail}` }
}

/** Nearly always one. The rules of a team that are in several parts are so in parts that follow each other. */
function inParts(byTeam: ReadonlyMap<string, readonly string[]>): TeamPart[][] {
  const parts: TeamPart[][] = [[]]
  let bytes = 0
  for (const [team, ruleTexts] of byTeam) {
    let begun: string[] = []
    for (const text of ruleTexts) {
      const textBytes = Buffer.byteLength(text)
      if (bytes > 0 && bytes + textBytes > rulesBytesMax) {
        if (begun.length > 0) parts.at(-1)!.push({ team, text: teamText(team, begun, '"more_rules":true,') })
        parts.push([])
        begun = []
        bytes = 0
      }
      begun.push(text)
      bytes += textBytes
    }
    parts.at(-1)!.push({ team, text: teamText(team, begun, '') })
  }
  return parts
}

const teamText = (team: string, ruleTexts: readonly string[], more: string): string =>
  `{"team_id":${JSON.stringify(team)},${more}"rules":[${ruleTexts.join()}]}`
