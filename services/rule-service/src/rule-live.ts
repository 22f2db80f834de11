import type { RuleLive } from '@tocsin/contracts/http'
import type { Redis } from '@tocsin/redis/connection'
import { type RunningEvaluator, readEvaluators } from '@tocsin/redis/evaluator-registry'
import { isRetryable } from '@tocsin/runtime/errors'
import type { RuleInSnapshot } from './rules-store.ts'

export type LiveReader = (rule: Pick<RuleInSnapshot, 'snapshot_version' | 'snapshot_at'>) => Promise<RuleLive | null>

/**
 * An evaluator knows a rule's current version when its snapshot is the first that holds it, or a later one. For a rule
 * that is disabled this means: it has stopped matching.
 */
export function liveReader(redis: Redis, prefix: string): LiveReader {
  return async ({ snapshot_version, snapshot_at }) => {
    try {
      const evaluators = await readEvaluators(redis, prefix)
      return {
        evaluators: atLeast(snapshot_version, evaluators),
        version: snapshot_version,
        since: snapshot_at?.toISOString() ?? null,
      }
    } catch (error) {
      if (isRetryable(error)) return null // the rule itself is in Postgres: Redis being away is no reason to hide it
      throw error
    }
  }
}

/** `2/3`: two of three match with this version or a later one. Nobody does while there is none. */
export function atLeast(version: number | null, evaluators: readonly RunningEvaluator[]): string {
  const current = evaluators.filter(evaluator => version !== null && evaluator.snapshot_version >= version)
  return `${current.length}/${evaluators.length}`
}
