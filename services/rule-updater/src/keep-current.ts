import { pause } from '@tocsin/runtime/backoff'
import { isRetryable, messageOf } from '@tocsin/runtime/errors'
import type { Logger } from '@tocsin/runtime/logger'

/** A change whose event was lost is live after this long, and a flushed Redis is filled again. */
const checkEveryMs = 2_000
/** Everything is read again and compared by its hash: it finds what the check cannot see. */
const reconcileEveryMs = 60_000

export interface KeepCurrentOptions {
  isBehind(): Promise<boolean>
  publish(): Promise<void>
  log: Logger
}

/** Compares Redis with Postgres until stopping, at once and then again and again. Events only make it quicker. */
export async function keepCurrent(
  { isBehind, publish, log }: KeepCurrentOptions,
  stopping: AbortSignal,
): Promise<void> {
  let reconcileAt = 0
  while (!stopping.aborted) {
    try {
      const due = performance.now() >= reconcileAt
      if (due || (await isBehind())) await publish()
      if (due) reconcileAt = performance.now() + reconcileEveryMs
    } catch (error) {
      if (!isRetryable(error)) throw error
      log.warn({ error: messageOf(error) }, 'cannot compare the snapshot with Postgres; trying again')
    }
    await pause(checkEveryMs, stopping)
  }
}
