import type { Database } from '@tocsin/postgres/database'
import { failureLevel, pause } from '@tocsin/runtime/backoff'
import { isRetryable, messageOf } from '@tocsin/runtime/errors'
import type { Logger } from '@tocsin/runtime/logger'
import { countLate, takeDue } from './deliveries-store.ts'
import type { DeliveryQueue } from './delivery-queue.ts'
import { late, requeued } from './meters.ts'

const rowsPerRound = 1_000

/**
 * After an outage of Postgres the senders have outcomes to write that waited for it; taking over their claims at once
 * would tell those recipients twice.
 */
const afterOutageMs = 3_000

const lateMs = 5_000
const lateCountMax = 10_000
const lateLookEveryMs = 5_000

export interface SweepOptions {
  intervalMs: number
  leaseMs: number
}

/**
 * Gives every delivery that is due a job: retries, those that a dead sender had claimed, those whose job went with
 * Redis, those that did not fit into the queue. Taking a row moves its `due_at`, so of several senders one takes it;
 * and only while Redis is there and has room, so a row is not put off for a job that it does not get.
 */
export async function sweep(
  db: Database,
  queue: DeliveryQueue,
  log: Logger,
  { intervalMs, leaseMs }: SweepOptions,
  stopping: AbortSignal,
): Promise<void> {
  let lookedAt = 0
  let failures = 0
  while (!stopping.aborted) {
    let delayMs = intervalMs
    try {
      await sweepUntilDone(db, queue, leaseMs, stopping)
      if (Date.now() - lookedAt > lateLookEveryMs) {
        late.set(await countLate(db, lateMs, lateCountMax))
        lookedAt = Date.now()
      }
      failures = 0
    } catch (error) {
      if (!isRetryable(error)) throw error
      log[failureLevel(++failures)]({ failures, error: messageOf(error) }, 'sweeping failed; trying again')
      delayMs = afterOutageMs
    }
    await pause(delayMs, stopping)
  }
}

async function sweepUntilDone(
  db: Database,
  queue: DeliveryQueue,
  leaseMs: number,
  stopping: AbortSignal,
): Promise<void> {
  while (!stopping.aborted) {
    const wanted = Math.min(rowsPerRound, await queue.room())
    if (wanted === 0) return
    const jobs = await takeDue(db, wanted, leaseMs)
    await queue.addAgain(jobs)
    requeued.inc(jobs.length)
    if (jobs.length < wanted) return
  }
}
