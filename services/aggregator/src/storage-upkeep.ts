import type { Database } from '@tocsin/postgres/database'
import { failureLevel, pause } from '@tocsin/runtime/backoff'
import { messageOf } from '@tocsin/runtime/errors'
import type { Logger } from '@tocsin/runtime/logger'
import { dropPartitions, makePartitions } from './partitions.ts'

const everyMs = 60 * 60_000
const retryMs = 60_000
const dayMs = 86_400_000

export interface UpkeepOptions {
  keptDays: number
  log: Logger
}

/**
 * Partitions are made ahead, and dropped when their notifications are old. Every copy does both: whoever comes second
 * finds nothing to do. Whatever fails of it is no reason to stop: there are partitions for days, and one that is missing
 * all the same is made by whoever misses it.
 */
export async function runUpkeep(db: Database, stopping: AbortSignal, { keptDays, log }: UpkeepOptions): Promise<void> {
  for (let failures = 0; !stopping.aborted; ) {
    try {
      const made = await makePartitions(db)
      if (made.length > 0) log.info({ partitions: made }, 'made partitions ahead')
      const dropped = await dropPartitions(db, Date.now() - keptDays * dayMs)
      if (dropped.length > 0) log.info({ partitions: dropped, kept_days: keptDays }, 'dropped old notifications')
      failures = 0
    } catch (error) {
      log[failureLevel(++failures)]({ failures, error: messageOf(error) }, 'upkeep of partitions failed; trying again')
    }
    await pause(failures > 0 ? retryMs : everyMs, stopping)
  }
}
