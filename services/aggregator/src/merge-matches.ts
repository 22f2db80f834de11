import type { MatchedRule } from '@tocsin/contracts/messages'

/** What a notification needs of an alert. One alert may be told to many teams: all of their matches share this. */
export interface MatchedAlert {
  readonly alertId: string
  readonly dedupKey: string | undefined
  /** What keeps its order: its `dedup_key`, else its `alert_id`. */
  readonly problem: string
  /** When it happened. */
  readonly since: number
  /** The alert as JSON: one text takes less memory than what it is made of. */
  readonly json: string
  /** What goes on with its notifications. */
  readonly headers: Readonly<Record<string, string>>
}

/** One alert matched rules of one team. */
export interface IncomingMatch {
  readonly alert: MatchedAlert
  readonly teamId: string
  readonly rules: readonly MatchedRule[]
  /** More of them are to come. */
  readonly moreRules: boolean
}

/**
 * One match per (team, alert), with the rules of all of them: a statement cannot insert the same row twice, and a batch
 * holds an alert twice whenever a producer or an evaluator repeated itself, or had too many rules for one record. Of a rule
 * that comes twice the first counts. `moreRules` is left when the last part is not among them.
 */
export function mergeMatches(matches: Iterable<IncomingMatch>): IncomingMatch[] {
  const merged = new Map<string, IncomingMatch>()
  for (const match of matches) {
    // An array in JSON, as ids may hold any character that would separate them.
    const key = JSON.stringify([match.teamId, match.alert.alertId])
    const first = merged.get(key)
    merged.set(key, first === undefined ? match : withRules(first, match))
  }
  return [...merged.values()]
}

function withRules(match: IncomingMatch, other: IncomingMatch): IncomingMatch {
  const known = new Set(match.rules.map(rule => rule.rule_id))
  const added = other.rules.filter(rule => !known.has(rule.rule_id))
  return { ...match, rules: [...match.rules, ...added], moreRules: match.moreRules && other.moreRules }
}
