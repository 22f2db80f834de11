import type { Queryable } from '@tocsin/postgres/database'
import { pause } from '@tocsin/runtime/backoff'
import { isRetryable } from '@tocsin/runtime/errors'
import * as meters from './meters.ts'

/**
 * Tells of what waits for a snapshot, also while nothing can be published: then it is what an alarm is for. While Postgres
 * is away the oldest grows older by itself, because it is told by the time since when it waits.
 */
export async function tellWaiting(database: Queryable, everyMs: number, stopping: AbortSignal): Promise<void> {
  try {
    while (!stopping.aborted) {
      const read = await readWaiting(database)
      if (read !== undefined) tell(read)
      await pause(everyMs, stopping)
    }
  } finally {
    tell({ waiting: 0, since: null }) // whoever leads next tells
  }
}

interface WaitingRow {
  waiting: number
  since: number | null
}

function tell({ waiting, since }: WaitingRow): void {
  meters.waitingGauge.set(waiting)
  meters.waitingSinceGauge.set(since ?? 0)
}

async function readWaiting(database: Queryable): Promise<WaitingRow | undefined> {
  try {
    const { rows } = await database.query<WaitingRow>(
      `SELECT count(*) AS waiting, extract(epoch FROM min(changed_at))::float8 AS since
         FROM rule_versions WHERE snapshot_version IS NULL`,
    )
    return rows[0]
  } catch (error) {
    if (isRetryable(error)) return undefined
    throw error
  }
}
