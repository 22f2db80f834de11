import type { Database, Queryable } from '@tocsin/postgres/database'
import type { Redis } from '@tocsin/redis/connection'
import { readEvaluators } from '@tocsin/redis/evaluator-registry'
import { encodeSnapshot, findIntactManifest, publishSnapshot, type SnapshotBody } from '@tocsin/redis/snapshot-store'
import type { Logger } from '@tocsin/runtime/logger'
import { drawVersion, lockSnapshots, readProgress, readRules, stampRules } from './rules-table.ts'

/** Where a snapshot comes from and goes to. */
export interface Places {
  database: Database
  redis: Redis
  /** In front of the keys in Redis. */
  prefix: string
  log: Logger
}

export interface BuiltSnapshot {
  version: number
  rules: number
  /** False when Redis held exactly these rules already. */
  published: boolean
}

/**
 * Makes Redis hold what Postgres holds, in one transaction under one lock: read all rules, draw a version, swap the
 * snapshot in, stamp the rules that it holds.
 *
 * The lock comes first and in a statement of its own. At READ COMMITTED each statement looks at the database anew, so
 * the rules are read as they are after the lock was granted, and a version drawn later never holds older rules. At
 * REPEATABLE READ the statement that waits for the lock would fix the view: the builder that waited would draw the
 * higher version for rules from before the other one's turn, and put an old state over a new one.
 *
 * The swap comes before the commit, so a stamp means that the snapshot was there to be loaded. What a crash leaves:
 * before the swap, a version that was drawn and never published, which `isBehind` sees; after it, rules without a stamp,
 * which get it from the next build without another snapshot. A builder whose connection broke has lost the lock, but
 * its version was drawn before the next builder's, so Redis refuses its swap.
 */
export function buildSnapshot(places: Places): Promise<BuiltSnapshot> {
  return places.database.transaction(transaction => build(transaction, places), 'BEGIN ISOLATION LEVEL READ COMMITTED')
}

async function build(transaction: Queryable, places: Places): Promise<BuiltSnapshot> {
  await lockSnapshots(transaction)
  const { rules, unstamped, unreadable } = await readRules(transaction)
  if (unreadable.length > 0) {
    places.log.error({ rule_ids: unreadable }, 'left rules out of the snapshot: their rows are not valid')
  }
  const body = encodeSnapshot(rules)
  const kept = await findSame(transaction, places, body)
  const version = kept ?? (await publish(transaction, places, body))
  await stampRules(transaction, version, unstamped)
  return { version, rules: body.rules, published: kept === undefined }
}

/** The version in Redis, if it holds exactly these rules and nothing was drawn since. */
async function findSame(
  transaction: Queryable,
  { redis, prefix }: Places,
  body: SnapshotBody,
): Promise<number | undefined> {
  const manifest = await findIntactManifest(redis, prefix)
  if (manifest?.hash !== body.hash) return undefined
  const { newestVersion } = await readProgress(transaction)
  // A version was drawn that never got here, and rules may be stamped with it; or Redis is from another history.
  if (manifest.version !== newestVersion) return undefined
  const intact = await findIntactManifest(redis, prefix, { readBody: true })
  return intact?.version
}

/**
 * Versions come from Postgres, and only rise. When Redis refuses one as too old although we hold the lock, then
 * Postgres was restored to an earlier day, or replaced, and Redis was not: go on above what readers have seen. The same
 * when both were lost, and evaluators match with a version that neither knows of: they never go back to a lower one.
 */
async function publish(transaction: Queryable, { redis, prefix, log }: Places, body: SnapshotBody): Promise<number> {
  const evaluators = await readEvaluators(redis, prefix)
  let floor = Math.max(0, ...evaluators.map(evaluator => evaluator.snapshot_version))
  for (;;) {
    const version = await drawVersion(transaction, floor)
    const outcome = await publishSnapshot(redis, prefix, version, body)
    if (outcome.published) return version
    log.warn({ version, current_version: outcome.current_version }, 'Redis holds a version that Postgres never drew')
    floor = outcome.current_version
  }
}

/**
 * Cheap enough to ask every second or two: is there a rule that waits, a version that never got to Redis, nothing in
 * Redis, or an evaluator ahead of it? It does not see a deleted rule whose event was lost; a full build does.
 */
export async function isBehind({ database, redis, prefix }: Places): Promise<boolean> {
  // Evaluators before the manifest: the other way round, one that just took a newer snapshot would look ahead of it.
  const evaluators = await readEvaluators(redis, prefix)
  const manifest = await findIntactManifest(redis, prefix)
  const { newestVersion, unstamped } = await readProgress(database)
  if (manifest === undefined || unstamped || manifest.version !== newestVersion) return true
  return evaluators.some(evaluator => evaluator.snapshot_version > manifest.version)
}
