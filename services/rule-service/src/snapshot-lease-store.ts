import type { SnapshotResource } from '@tocsin/contracts/http'
import type { Queryable } from '@tocsin/postgres/database'

/** Written by rule-updater, but for `rebuilds_wanted`. Where somebody deleted the row, nobody leads until it asks for it. */
export interface LeaseRow {
  /** Null together: nobody leads now. */
  leader_id: string | null
  leader_since: Date | null
  lease_until: Date | null
  last_reconcile: SnapshotResource['last_reconcile']
  rebuilds_wanted: number
  rebuilds_done: number
  waiting_changes: number
  /** By the clock that leases are held by. */
  now: Date
}

export async function readLease(db: Queryable): Promise<LeaseRow> {
  const { rows } = await db.query<LeaseRow>(
    `SELECT held.leader_id, held.leader_since, held.lease_until,
       lease.last_reconcile, coalesce(lease.rebuilds_wanted, 0) AS rebuilds_wanted,
       coalesce(lease.rebuilds_done, 0) AS rebuilds_done,
       (SELECT count(*) FROM rule_versions WHERE snapshot_version IS NULL) AS waiting_changes,
       clock_timestamp() AS now
     FROM (VALUES (true)) AS always (one)
     LEFT JOIN snapshot_lease AS lease ON lease.one = always.one
     LEFT JOIN snapshot_lease AS held ON held.one = lease.one AND held.lease_until > clock_timestamp()`,
  )
  return rows[0]!
}

/** For each of these versions: when the first change could be read that it does not have. Not for those without one. */
export async function readNewerSince(db: Queryable, versions: readonly number[]): Promise<ReadonlyMap<number, Date>> {
  if (versions.length === 0) return new Map()
  const { rows } = await db.query<{ version: number; snapshot_at: Date }>(
    `SELECT had AS version, snapshot_at
     FROM unnest($1::bigint[]) AS had, LATERAL (
       SELECT snapshot_at FROM rule_versions WHERE snapshot_version > had ORDER BY snapshot_version LIMIT 1) AS newer
     WHERE snapshot_at IS NOT NULL`,
    [versions],
  )
  return new Map(rows.map(row => [row.version, row.snapshot_at]))
}

/**
 * Gives how many were asked for so far. The leader sees it when it renews its lease, and has done it when it did as many.
 * Above both numbers: where somebody set back what was wanted, this one would count as done already.
 */
export async function askForRebuild(db: Queryable): Promise<number> {
  const { rows } = await db.query<{ wanted: number }>(
    `INSERT INTO snapshot_lease AS lease (rebuilds_wanted) VALUES (1)
     ON CONFLICT (one) DO UPDATE SET rebuilds_wanted = greatest(lease.rebuilds_wanted, lease.rebuilds_done) + 1
  RETURNING rebuilds_wanted AS wanted`,
  )
  return rows[0]!.wanted
}
