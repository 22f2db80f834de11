import type { Queryable } from '@tocsin/postgres/database'
import { pause } from '@tocsin/runtime/backoff'
import type { Logger } from '@tocsin/runtime/logger'
import { gauge } from '@tocsin/runtime/metrics'
import { countWaitingByCode, deleteSettled } from './dead-letters-report.ts'

const waiting = gauge('tocsin_dead_letters_waiting', 'dead letters that wait for somebody, the same in every copy', [
  'error_code',
])

/** Between two scrapes, as most are set. */
const countEveryMs = 15_000
const deleteEveryMs = 60 * 60_000
const keptDays = 30
const deletedAtOnce = 1_000

/**
 * Counts what waits, and deletes what nobody has waited for since long. Every copy does both: neither hurts twice. Whatever
 * fails of it is no reason to stop a service that has more to do.
 */
export async function runUpkeep(
  db: Queryable,
  { log, stopping, everyMs = countEveryMs }: { log: Logger; stopping: AbortSignal; everyMs?: number },
): Promise<void> {
  for (let nextDelete = 0; !stopping.aborted; await pause(everyMs, stopping)) {
    try {
      const counts = await countWaitingByCode(db)
      waiting.reset() // a code that waits no more must not stay at its last number
      for (const { error_code, count } of counts) waiting.set({ error_code }, count)
      if (Date.now() < nextDelete) continue
      const deleted = await deleteSettled(db, { days: keptDays, limit: deletedAtOnce })
      if (deleted < deletedAtOnce) nextDelete = Date.now() + deleteEveryMs
    } catch (error) {
      log.warn({ err: error }, 'dead letters are not counted; trying again')
    }
  }
}
