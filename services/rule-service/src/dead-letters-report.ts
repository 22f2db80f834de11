import type { DeadLettersReport } from '@tocsin/contracts/dead-letter'
import type { Queryable } from '@tocsin/postgres/database'

export async function reportByDay(db: Queryable, days: number): Promise<DeadLettersReport['items']> {
  const { rows } = await db.query<DeadLettersReport['items'][number]>(
    `SELECT to_char(first_failed_at AT TIME ZONE 'UTC', 'YYYY-MM-DD') AS day, error_code,
       count(*) AS letters, count(*) FILTER (WHERE state = 'waiting') AS waiting
     FROM dead_letters
     WHERE first_failed_at >= (date_trunc('day', now() AT TIME ZONE 'UTC') - make_interval(days => $1 - 1)) AT TIME ZONE 'UTC'
     GROUP BY 1, 2 ORDER BY 1 DESC, 3 DESC, 2`,
    [days],
  )
  return rows
}

export async function countWaitingByCode(db: Queryable): Promise<{ error_code: string; count: number }[]> {
  const { rows } = await db.query<{ error_code: string; count: number }>(
    `SELECT error_code, count(*) FROM dead_letters WHERE state = 'waiting' GROUP BY error_code`,
  )
  return rows
}

/** Gives how many were deleted. */
export async function deleteSettled(db: Queryable, { days, limit }: { days: number; limit: number }): Promise<number> {
  const { rowCount } = await db.query(
    `DELETE FROM dead_letters WHERE dead_letter_id IN (
       SELECT dead_letter_id FROM dead_letters
       WHERE state <> 'waiting' AND settled_at < now() - make_interval(days => $1) LIMIT $2 FOR UPDATE SKIP LOCKED)`,
    [days, limit],
  )
  return rowCount ?? 0
}
