import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Alert } from '@tocsin/contracts/alert'
import type { SnapshotRule } from '@tocsin/contracts/snapshot'
import { createMatcher, type Matcher } from '@tocsin/rules'

/** Adding a rule takes some 10 µs: after these many, batches and heartbeats get their turn. */
const rulesPerTurn = 1_000

/** A rule as the result needs it. Its conditions live on in the matcher only. */
interface LiveRule {
  readonly team_id: string
  readonly notify_resolved: boolean
  readonly named: { rule_id: string; name: string; version: number; endpoint_ids: string[] }
  /** `named` as JSON, made when the rule matches for the first time: of many rules few ever do. */
  text?: string
}

/** The rules of one snapshot, ready to be matched, with the version that they were read as. Never changed once made. */
export class LiveRules {
  readonly version: number
  readonly hash: string
  /** Rules that the matcher would not take. Validated rules never are, unless rule-service is newer than this program. */
  readonly refused: readonly string[]
  readonly #matcher: Matcher
  readonly #rules: ReadonlyMap<string, LiveRule>

  private constructor(
    { version, hash }: { version: number; hash: string },
    matcher: Matcher,
    rules: ReadonlyMap<string, LiveRule>,
    refused: readonly string[],
  ) {
    this.version = version
    this.hash = hash
    this.refused = refused
    this.#matcher = matcher
    this.#rules = rules
  }

  /** Takes its time, and lets the rest of the process go on meanwhile. */
  static async prepare(
    snapshot: { version: number; hash: string },
    snapshotRules: readonly SnapshotRule[],
  ): Promise<LiveRules> {
    const matcher = createMatcher({ validated: true })
    const rules = new Map<string, LiveRule>()
    const refused: string[] = []
    for (const [index, { conditions, team_id, notify_resolved, ...named }] of snapshotRules.entries()) {
      if (index % rulesPerTurn === rulesPerTurn - 1) await nextTurn()
      try {
        matcher.add({ id: named.rule_id, conditions })
        rules.set(named.rule_id, { team_id, notify_resolved, named })
      } catch {
        // One rule that this program cannot read must not keep all teams on an old snapshot.
        refused.push(named.rule_id)
      }
    }
    return new LiveRules(snapshot, matcher, rules, refused)
  }

  get size(): number {
    return this.#rules.size
  }

  /** The rules that hold for this alert, as JSON, by team. Undefined when there is none, as for nearly every alert. */
  match(alert: Alert): Map<string, string[]> | undefined {
    let byTeam: Map<string, string[]> | undefined
    for (const id of this.#matcher.match(alert)) {
      const rule = this.#rules.get(id)
      if (rule === undefined || (alert.status === 'resolved' && !rule.notify_resolved)) continue
      rule.text ??= JSON.stringify(rule.named)
      byTeam ??= new Map()
      const texts = byTeam.get(rule.team_id)
      if (texts === undefined) byTeam.set(rule.team_id, [rule.text])
      else texts.push(rule.text)
    }
    return byTeam
  }
}
