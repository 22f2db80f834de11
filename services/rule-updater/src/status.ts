import type { Database } from '@tocsin/postgres/database'
import { isRetryable } from '@tocsin/runtime/errors'
import type { Leadership } from './leadership.ts'

interface LeaseRow {
  leader_id: string | null
  waiting: number
  last_reconcile: unknown
}

/** Who leads, what this process published, and what waits: the number that grows when rules do not get live. */
export async function statusReport(database: Database, leadership: Leadership): Promise<Record<string, unknown>> {
  const { term } = leadership
  const { version, rules, chunks, built_at } = term?.published ?? {}
  return {
    role: term === undefined ? 'standby' : 'leader',
    token: term?.lease.token,
    snapshot_version: version,
    rules,
    chunks: chunks?.length,
    built_at,
    ...(await leaseReport(database)),
  }
}

async function leaseReport(database: Database): Promise<Record<string, unknown>> {
  try {
    const { rows } = await database.query<LeaseRow>(
      `SELECT CASE WHEN lease_until > clock_timestamp() THEN leader_id END AS leader_id, last_reconcile,
              (SELECT count(*) FROM rule_versions WHERE snapshot_version IS NULL) AS waiting
         FROM snapshot_lease`,
    )
    return { ...rows[0] }
  } catch (error) {
    if (isRetryable(error)) return { leader_id: null, waiting: null, last_reconcile: null }
    throw error
  }
}
