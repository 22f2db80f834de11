import type { Database } from '@tocsin/postgres/database'
import { isRetryable } from '@tocsin/runtime/errors'
import { readBacklog } from './outbox.ts'

/** The one number that grows when rules do not get live: changes that nobody was told of yet. */
export async function statusReport(database: Database): Promise<Record<string, unknown>> {
  try {
    return { outbox: await readBacklog(database) }
  } catch (error) {
    if (isRetryable(error)) return { outbox: null }
    throw error
  }
}
