import type { SnapshotEvaluator, SnapshotResource } from '@tocsin/contracts/http'
import type { Manifest } from '@tocsin/contracts/snapshot'
import type { Database } from '@tocsin/postgres/database'
import type { Redis } from '@tocsin/redis/connection'
import { type RunningEvaluator, readEvaluators } from '@tocsin/redis/evaluator-registry'
import { readManifest } from '@tocsin/redis/snapshot-store'
import { atLeast } from './rule-live.ts'
import { type LeaseRow, readLease, readNewerSince } from './snapshot-lease-store.ts'

export type SnapshotReader = () => Promise<SnapshotResource>

/** What Redis holds and who matches with it, beside what Postgres knows of who builds it and what waits. */
export function snapshotReader(database: Database, redis: Redis, prefix: string): SnapshotReader {
  return async () => {
    // The evaluators first: a snapshot that is swapped in between makes them late, and none of them ahead of it.
    const running = await readEvaluators(redis, prefix)
    const manifest = await readManifest(redis, prefix)
    const behind = running.map(({ snapshot_version }) => snapshot_version).filter(version => isOlder(version, manifest))
    const [lease, newerSince] = await Promise.all([readLease(database), readNewerSince(database, behind)])
    const evaluators = running.map(evaluator => evaluatorResource(evaluator, manifest, lease.now, newerSince))
    return {
      ...manifestFacts(manifest, lease.now),
      ...leaseFacts(lease),
      evaluators,
      evaluators_current: `${atLeast(manifest?.version ?? null, running).length}/${running.length}`,
    }
  }
}

function manifestFacts(manifest: Manifest | undefined, now: Date) {
  return {
    version: manifest?.version ?? null,
    token: manifest?.token ?? null,
    hash: manifest?.hash ?? null,
    rules: manifest?.rules ?? null,
    chunks: manifest?.chunks.length ?? null,
    bytes: manifest?.chunks.reduce((sum, chunk) => sum + chunk.bytes, 0) ?? null,
    built_at: manifest?.built_at ?? null,
    age_seconds: manifest ? secondsBetween(new Date(manifest.built_at), now) : null,
  }
}

function leaseFacts(lease: LeaseRow) {
  const { leader_id, leader_since, lease_until } = lease
  return {
    leader:
      leader_id === null || leader_since === null || lease_until === null
        ? null
        : { leader_id, since: leader_since.toISOString(), lease_until: lease_until.toISOString() },
    last_reconcile: lease.last_reconcile,
    rebuilds: { wanted: lease.rebuilds_wanted, done: lease.rebuilds_done },
    waiting_changes: lease.waiting_changes,
  }
}

/**
 * Behind since the first change was live that it does not have, or since the current snapshot was built: versions between
 * the two that changed no rule are written down nowhere.
 */
function evaluatorResource(
  { evaluator_id, snapshot_version, since, refused }: RunningEvaluator,
  manifest: Manifest | undefined,
  now: Date,
  newerSince: ReadonlyMap<number, Date>,
): SnapshotEvaluator {
  const entry = { evaluator_id, version: snapshot_version, since, refused_rules: refused?.rules ?? 0 }
  if (manifest === undefined) return { ...entry, lag: { versions: null, seconds: null } }
  if (!isOlder(snapshot_version, manifest)) return { ...entry, lag: { versions: 0, seconds: 0 } }
  const builtAt = new Date(manifest.built_at)
  const changedAt = newerSince.get(snapshot_version) ?? builtAt
  const seconds = secondsBetween(changedAt < builtAt ? changedAt : builtAt, now)
  return { ...entry, lag: { versions: manifest.version - snapshot_version, seconds } }
}

function isOlder(version: number, manifest: Manifest | undefined): boolean {
  return manifest !== undefined && version < manifest.version
}

/** Never below 0: the two may be told by different clocks. */
function secondsBetween(from: Date, to: Date): number {
  return Math.max(0, to.getTime() - from.getTime()) / 1_000
}
