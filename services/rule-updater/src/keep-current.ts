import { failureLevel, pause } from '@tocsin/runtime/backoff'
import { isRetryable, messageOf } from '@tocsin/runtime/errors'
import type { Logger } from '@tocsin/runtime/logger'

/** A change whose event was lost is live after this long, and a flushed Redis is filled again. */
const defaultCheckEveryMs = 2_000
/** Everything is read again and compared by its hash: it finds what the check cannot see. */
const defaultReconcileEveryMs = 60_000

export interface KeepCurrentOptions {
  isBehind(): Promise<boolean>
  publish(): Promise<void>
  log: Logger
  checkEveryMs?: number
  reconcileEveryMs?: number
}

/** Compares Redis with Postgres until stopping, at once and then again and again. Events only make it quicker. */
export async function keepCurrent(options: KeepCurrentOptions, stopping: AbortSignal): Promise<void> {
  const { isBehind, publish, log } = options
  const { checkEveryMs = defaultCheckEveryMs, reconcileEveryMs = defaultReconcileEveryMs } = options
  let reconcileAt = 0
  let failures = 0
  while (!stopping.aborted) {
    try {
      const due = performance.now() >= reconcileAt
      if (due || (await isBehind())) await publish()
      if (due) reconcileAt = performance.now() + reconcileEveryMs
      failures = 0
    } catch (error) {
      if (!isRetryable(error)) throw error
      failures++
      log[failureLevel(failures)](
        { failures, error: messageOf(error) },
        'cannot compare the snapshot with Postgres; trying again',
      )
    }
    await pause(checkEveryMs, stopping)
  }
}
