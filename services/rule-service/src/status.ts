import type { Database } from '@tocsin/postgres/database'
import { isRetryable } from '@tocsin/runtime/errors'
import { readBacklog } from './outbox.ts'

/**
 * Changes that Kafka was not told of yet. They get live all the same, because rule-updater looks for them too: the number
 * that grows when they do not is `waiting_changes` of `GET /api/v1/snapshot`, which is `waiting` in the status of
 * rule-updater.
 */
export async function statusReport(database: Database): Promise<Record<string, unknown>> {
  try {
    return { outbox: await readBacklog(database) }
  } catch (error) {
    if (isRetryable(error)) return { outbox: null }
    throw error
  }
}
