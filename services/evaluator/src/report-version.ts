import type { Redis } from '@tocsin/redis/connection'
import { heartbeat, type RunningEvaluator, refusedIdsMax, removeEvaluator } from '@tocsin/redis/evaluator-registry'
import { endsWithin, pause } from '@tocsin/runtime/backoff'
import { messageOf } from '@tocsin/runtime/errors'
import type { Logger } from '@tocsin/runtime/logger'
import type { LiveRules } from './live-rules.ts'

const everyMs = 1_000
/** A stop does not wait for a Redis that does not answer: whoever is silent is forgotten soon anyway. */
const removeMs = 1_000

/**
 * Tells the registry which snapshot this evaluator matches with, since when, and without which of its rules. Before the
 * first snapshot it tells nothing: it matches no alert, so no rule waits for it.
 */
export class VersionReporter {
  readonly #redis: Redis
  readonly #prefix: string
  readonly #evaluatorId: string
  readonly #log: Logger
  #inUse: Omit<RunningEvaluator, 'evaluator_id'> | undefined

  constructor(redis: Redis, prefix: string, evaluatorId: string, log: Logger) {
    this.#redis = redis
    this.#prefix = prefix
    this.#evaluatorId = evaluatorId
    this.#log = log
  }

  /** At once, instead of with the next heartbeat: somebody waits to see the rule live. */
  async report(rules: LiveRules): Promise<void> {
    const refused =
      rules.refused === 0 ? undefined : { rules: rules.refused, rule_ids: rules.refusedIds(refusedIdsMax) }
    this.#inUse = { snapshot_version: rules.version, since: new Date().toISOString(), refused }
    await this.#beat()
  }

  async keepAlive(stopping: AbortSignal): Promise<void> {
    while (!stopping.aborted) {
      await this.#beat()
      await pause(everyMs, stopping)
    }
  }

  async remove(): Promise<void> {
    const removed = removeEvaluator(this.#redis, this.#prefix, this.#evaluatorId).catch(error => this.#missed(error))
    await endsWithin(removed, removeMs)
  }

  async #beat(): Promise<void> {
    if (this.#inUse === undefined) return
    const entry = { evaluator_id: this.#evaluatorId, ...this.#inUse }
    await heartbeat(this.#redis, this.#prefix, entry).catch(error => this.#missed(error))
  }

  /** Whether others can see our version is no reason to stop matching. That Redis is away is told by its connection. */
  #missed(error: unknown): void {
    this.#log.debug({ error: messageOf(error) }, 'cannot tell the registry our version')
  }
}
