import type { Match } from '@tocsin/contracts/messages'

/**
 * One match per (team, alert), with the rules of all of them: a statement cannot insert the same row twice, and a batch
 * holds an alert twice whenever a producer or an evaluator repeated itself, or a team had too many rules for one record.
 * Of a rule that comes twice the first counts. `more_rules` is left when the last part is not among them.
 */
export function mergeMatches<Item extends { match: Match }>(items: readonly Item[]): Item[] {
  const merged = new Map<string, Item>()
  for (const item of items) {
    // An array in JSON, as ids may hold any character that would separate them.
    const key = JSON.stringify([item.match.team_id, item.match.alert.alert_id])
    const first = merged.get(key)
    merged.set(key, first === undefined ? item : { ...first, match: withRules(first.match, item.match) })
  }
  return [...merged.values()]
}

function withRules({ more_rules, ...match }: Match, other: Match): Match {
  const known = new Set(match.rules.map(rule => rule.rule_id))
  const added = other.rules.filter(rule => !known.has(rule.rule_id))
  return { ...match, rules: [...match.rules, ...added], ...(more_rules && other.more_rules && { more_rules }) }
}
