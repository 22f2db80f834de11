import type { RuleLive } from '@tocsin/contracts/http'
import type { Redis } from '@tocsin/redis/connection'
import { readEvaluators } from '@tocsin/redis/evaluator-registry'
import { isRetryable } from '@tocsin/runtime/errors'

export type LiveReader = (snapshotVersion: number | null) => Promise<RuleLive | null>

/**
 * An evaluator knows a rule's current version when its snapshot is the first that holds it, or a later one. For a rule
 * that is disabled this means: it has stopped matching.
 */
export function liveReader(redis: Redis, prefix: string): LiveReader {
  return async snapshotVersion => {
    try {
      const evaluators = await readEvaluators(redis, prefix)
      const current = evaluators.filter(
        evaluator => snapshotVersion !== null && evaluator.snapshot_version >= snapshotVersion,
      )
      return { evaluators: `${current.length}/${evaluators.length}`, snapshot_version: snapshotVersion }
    } catch (error) {
      if (isRetryable(error)) return null // the rule itself is in Postgres: Redis being away is no reason to hide it
      throw error
    }
  }
}
