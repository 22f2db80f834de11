import type { Queryable } from '@tocsin/postgres/database'

/**
 * Three renewals may fail or be late. A standby takes over at most this and the time between two of its asks after a
 * death, some 2.8 s, and publishes soon after that: what readers have is taken over, and not read again.
 */
export const leaseTtlMs = 2_500

/** Who builds snapshots: a row of `snapshot_lease` as its holder knows it. */
export interface Lease {
  /** Another one for each term: to find it in the row says that nobody has led since, whatever was restored meanwhile. */
  readonly leader_id: string
  /** Rises with each leader; Redis refuses a smaller one than it has seen. */
  token: number
}

/** Somebody else leads. What was read under the lease may be old, so nothing more may be published from it. */
export class LeaseLost extends Error {
  constructor() {
    super('somebody else builds snapshots now')
  }
}

/**
 * Undefined while somebody leads. The time is Postgres's alone, so that clocks that differ cannot make two leaders; and
 * two that ask at once meet in the row: the second sees the first's `lease_until`. One that ends later than any lease can
 * was written before that clock was set back, as by a failover to a machine that is 60 s behind: nobody waits that out.
 * A row that somebody deleted is made again, for the next one that asks: its versions go on above those that Redis has seen.
 */
export async function acquireLease(database: Queryable, leaderId: string): Promise<Lease | undefined> {
  const { rows } = await database.query<Lease>(
    `WITH made AS (INSERT INTO snapshot_lease (one) SELECT true WHERE NOT EXISTS (SELECT FROM snapshot_lease)
                   ON CONFLICT DO NOTHING)
     UPDATE snapshot_lease
        SET leader_id = $1, token = token + 1, leader_since = clock_timestamp(),
            lease_until = clock_timestamp() + $2 * interval '1 millisecond'
      WHERE lease_until NOT BETWEEN clock_timestamp() AND clock_timestamp() + $2 * interval '1 millisecond'
  RETURNING leader_id, token`,
    [leaderId, leaseTtlMs],
  )
  return rows[0]
}

/** What its holder learns with each renewal. */
export interface LeaseState {
  /** The last one that was drawn. Below one that we drew, Postgres was restored to an earlier day. */
  version: number
  /** A rebuild was asked for that nobody has done yet. */
  rebuild_wanted: number | null
}

/** A lease that has run out and that nobody took is renewed like any other: nobody has led in between. */
export async function renewLease(database: Queryable, lease: Lease): Promise<LeaseState> {
  const { rows } = await database.query<LeaseState>(
    `UPDATE snapshot_lease SET lease_until = clock_timestamp() + $2 * interval '1 millisecond'
      WHERE leader_id = $1
  RETURNING version, CASE WHEN rebuilds_wanted > rebuilds_done THEN rebuilds_wanted END AS rebuild_wanted`,
    [lease.leader_id, leaseTtlMs],
  )
  return held(rows[0])
}

/** What Redis or an evaluator has seen already, and Postgres, restored or replaced, may not know of. */
export interface Seen {
  version: number
  token: number
}

export interface Drawn {
  version: number
  drawn_at: Date
}

/**
 * The next version, above all that were seen, and only for the holder of the lease: that is what puts versions into the
 * order of their contents. A leader reads before it draws; its successor takes the lease after that draw and reads then.
 * It renews the lease: nobody else leads for `leaseTtlMs` from now on.
 */
export async function drawVersion(database: Queryable, lease: Lease, seen: Seen): Promise<Drawn> {
  const tokenMin = seen.token > lease.token ? seen.token + 1 : lease.token
  const { rows } = await database.query<Drawn & { token: number }>(
    `UPDATE snapshot_lease SET version = greatest(version, $2) + 1, token = greatest(token, $3),
            lease_until = clock_timestamp() + $4 * interval '1 millisecond'
      WHERE leader_id = $1
  RETURNING version, token, clock_timestamp() AS drawn_at`,
    [lease.leader_id, seen.version, tokenMin, leaseTtlMs],
  )
  const { token, ...drawn } = held(rows[0])
  lease.token = token
  return drawn
}

/** Another one may lead at once, instead of after the lease has run out. */
export async function releaseLease(database: Queryable, lease: Lease): Promise<void> {
  await database.query(
    `UPDATE snapshot_lease SET leader_id = NULL, leader_since = NULL, lease_until = '-infinity' WHERE leader_id = $1`,
    [lease.leader_id],
  )
}

export interface ReconcileReport {
  at: Date
  seconds: number
  rules: number
  drift: number
}

export async function reportReconcile(database: Queryable, lease: Lease, report: ReconcileReport): Promise<void> {
  await database.query('UPDATE snapshot_lease SET last_reconcile = $2 WHERE leader_id = $1', [lease.leader_id, report])
}

/** Those that were asked for while it was under way want one of their own. */
export async function finishRebuild(database: Queryable, lease: Lease, wanted: number): Promise<void> {
  await database.query('UPDATE snapshot_lease SET rebuilds_done = greatest(rebuilds_done, $2) WHERE leader_id = $1', [
    lease.leader_id,
    wanted,
  ])
}

function held<Row>(row: Row | undefined): Row {
  if (row === undefined) throw new LeaseLost()
  return row
}
