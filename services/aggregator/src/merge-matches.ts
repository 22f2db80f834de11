import type { Match, MatchedRule } from '@tocsin/contracts/messages'

/**
 * One match per (team, alert), with the rules of all of them: a statement cannot insert the same row twice, and a batch
 * holds an alert twice whenever a producer or an evaluator repeated itself. Of a rule that comes twice the first counts.
 */
export function mergeMatches<Item extends { match: Match }>(items: readonly Item[]): Item[] {
  const merged = new Map<string, Item>()
  for (const item of items) {
    // An array in JSON, as ids may hold any character that would separate them.
    const key = JSON.stringify([item.match.team_id, item.match.alert.alert_id])
    const first = merged.get(key)
    merged.set(key, first === undefined ? item : { ...first, match: withRules(first.match, item.match.rules) })
  }
  return [...merged.values()]
}

function withRules(match: Match, rules: readonly MatchedRule[]): Match {
  const known = new Set(match.rules.map(rule => rule.rule_id))
  const added = rules.filter(rule => !known.has(rule.rule_id))
  return added.length === 0 ? match : { ...match, rules: [...match.rules, ...added] }
}
