import { decodeMessage } from '@tocsin/contracts/decode'
import { type NotificationReady, notificationReadySchema } from '@tocsin/contracts/messages'
import type { Stage } from '@tocsin/kafka/consume'
import type { Database } from '@tocsin/postgres/database'
import { isRetryable, messageOf } from '@tocsin/runtime/errors'
import type { Logger } from '@tocsin/runtime/logger'
import { createDeliveries, type Job, makeDueNow } from './deliveries-store.ts'
import type { DeliveryQueue } from './delivery-queue.ts'
import { expanded } from './meters.ts'

/**
 * A notification becomes its deliveries, one per endpoint. Once the rows are there nothing can be lost any more: a job
 * that does not get into Redis is found by the sweep, so Redis being away holds up no partition.
 */
export function createExpand(
  db: Database,
  queue: DeliveryQueue,
  log: Logger,
  { leaseMs }: { leaseMs: number },
): Stage<NotificationReady> {
  return {
    name: 'expand',
    decode: record => decodeMessage(notificationReadySchema, record.value),
    async handle(events) {
      const told = events.filter(event => !event.value.skipped)
      expanded.inc({ outcome: 'skipped' }, events.length - told.length)
      if (told.length === 0) return
      const ids = [...new Set(told.map(event => event.value.notification_id))]
      const { jobs, skipped, unknown } = await createDeliveries(db, ids, leaseMs)
      expanded.inc({ outcome: 'skipped' }, skipped.length)
      expanded.inc({ outcome: 'unknown' }, unknown.length)
      expanded.inc({ outcome: 'told' }, ids.length - skipped.length - unknown.length)
      if (unknown.length > 0) log.warn({ notification_ids: unknown.slice(0, 10) }, 'notifications without a row')
      await enqueue(jobs)
    },
  }

  async function enqueue(jobs: Job[]): Promise<void> {
    if (jobs.length === 0) return
    try {
      const room = await queue.room()
      await queue.add(jobs.slice(0, room))
      // The sweep feeds the rest to the queue as it empties.
      if (jobs.length > room) await makeDueNow(db, jobs.slice(room))
    } catch (error) {
      if (!isRetryable(error)) throw error
      log.warn({ jobs: jobs.length, error: messageOf(error) }, 'jobs are left to the sweep')
      await makeDueNow(db, jobs)
    }
  }
}
