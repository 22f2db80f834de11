import type { RuleLive } from '@tocsin/contracts/http'
import type { Redis } from '@tocsin/redis/connection'
import { type RunningEvaluator, readEvaluators } from '@tocsin/redis/evaluator-registry'
import { isRetryable } from '@tocsin/runtime/errors'
import type { RuleInSnapshot } from './rules-store.ts'

export type LiveReader = (
  rule: Pick<RuleInSnapshot, 'rule_id' | 'snapshot_version' | 'snapshot_at'>,
) => Promise<RuleLive | null>

/**
 * An evaluator matches with a rule's current version when its snapshot is the first that holds it, or a later one, and it
 * can use the rule. For a rule that is disabled this means: it has stopped matching.
 */
export function liveReader(redis: Redis, prefix: string): LiveReader {
  return async ({ rule_id, snapshot_version, snapshot_at }) => {
    try {
      const evaluators = await readEvaluators(redis, prefix)
      const matching = atLeast(snapshot_version, evaluators).filter(evaluator => canUse(evaluator, rule_id))
      return {
        evaluators: `${matching.length}/${evaluators.length}`,
        version: snapshot_version,
        since: snapshot_at?.toISOString() ?? null,
      }
    } catch (error) {
      if (isRetryable(error)) return null // the rule itself is in Postgres: Redis being away is no reason to hide it
      throw error
    }
  }
}

/** Those that match with this version or a later one. Nobody does while there is none. */
export function atLeast(version: number | null, evaluators: readonly RunningEvaluator[]): RunningEvaluator[] {
  return evaluators.filter(evaluator => version !== null && evaluator.snapshot_version >= version)
}

/** One that refuses more rules than it can name may refuse any: better to say of a rule too late that it is live. */
function canUse({ refused }: RunningEvaluator, rule_id: string): boolean {
  return refused === undefined || (refused.rules <= refused.rule_ids.length && !refused.rule_ids.includes(rule_id))
}
