import type { Producer } from '@tocsin/kafka/producer'
import type { Database } from '@tocsin/postgres/database'
import { failureLevel, pause } from '@tocsin/runtime/backoff'
import { isRetryable, messageOf } from '@tocsin/runtime/errors'
import type { Logger } from '@tocsin/runtime/logger'
import { handOver } from './aggregate.ts'
import { endHandovers, findHandovers, findLeftBehind, lockHandover } from './handovers-store.ts'
import { handedOver } from './meters.ts'

/** Rows that are in memory, and published, at once. */
const rowsPerRound = 500

export interface SweepOptions {
  afterMs: number
  intervalMs: number
}

export interface Sweep {
  /** Hands over what was left behind, until nothing is. Gives how many. */
  once(): Promise<number>
  run(stopping: AbortSignal): Promise<void>
}

/**
 * Finds notifications that nobody handed over: a crash after the row whose record was then read by nobody again, such as
 * when the offsets of the group were lost or moved by hand. Any number of aggregators may sweep at once.
 */
export function createSweep(
  db: Database,
  producer: Producer,
  topic: string,
  log: Logger,
  { afterMs, intervalMs }: SweepOptions,
): Sweep {
  const sweepBatch = (handoverId: string) =>
    db.transaction(async client => {
      let total = 0
      if (!(await lockHandover(client, handoverId))) return total
      for (let after = '', found = rowsPerRound; found === rowsPerRound; ) {
        const rows = await findLeftBehind(client, handoverId, after, rowsPerRound)
        // Neither the trace of the record that made the row nor the time of the event is a column of it.
        const handOvers = rows.map(row => ({
          ...row,
          since: row.createdAt.getTime(),
          headers: { origin: 'aggregator' },
        }))
        await handOver(producer, topic, handOvers)
        found = rows.length
        after = rows.at(-1)?.notificationId ?? after
        total += found
      }
      await endHandovers(client, [handoverId])
      return total
    })

  const once = async () => {
    let total = 0
    for (const handoverId of await findHandovers(db, afterMs)) total += await sweepBatch(handoverId)
    if (total > 0) {
      handedOver.inc({ by: 'sweep' }, total)
      log.warn({ notifications: total }, 'handed over notifications that had been left behind')
    }
    return total
  }

  return {
    once,
    async run(stopping) {
      let failures = 0
      while (!stopping.aborted) {
        try {
          await once()
          failures = 0
        } catch (error) {
          if (!isRetryable(error)) throw error
          log[failureLevel(++failures)]({ failures, error: messageOf(error) }, 'sweeping failed; trying again')
        }
        await pause(intervalMs, stopping)
      }
    },
  }
}
