import { setTimeout as sleep } from 'node:timers/promises'
import { partitionsPerTopic } from '@tocsin/contracts/topics'

const patienceMs = 120_000

/**
 * The partitions that a service reads, as who reads its output sees them: when what went through one of them came out. So a
 * pause is told by what does not come, whatever the members say of themselves.
 */
export class Lanes {
  readonly #lanes = Array.from({ length: partitionsPerTopic }, () => ({ arrivedAt: [] as number[], newestSentAt: 0 }))

  arrived(lane: number, sentAt: number): void {
    const { arrivedAt } = this.#lanes[lane]!
    arrivedAt.push(Date.now())
    this.#lanes[lane]!.newestSentAt = Math.max(this.#lanes[lane]!.newestSentAt, sentAt)
  }

  /** Until each lane has let something through that was sent after this time. Gives how long that took, in ms. */
  async untilAllMove(since: number): Promise<number> {
    while (this.#lanes.some(({ newestSentAt }) => newestSentAt <= since)) {
      if (Date.now() > since + patienceMs) {
        const still = this.#lanes.flatMap(({ newestSentAt }, lane) => (newestSentAt <= since ? [lane] : []))
        throw new Error(`nothing came through partitions ${still.join(', ')} for ${patienceMs} ms`)
      }
      await sleep(5)
    }
    return Date.now() - since
  }

  /** The longest time in which nothing came through one of the lanes, of the pauses that ended since. */
  longestPauseMs(since: number): number {
    return Math.max(...this.#lanes.map(({ arrivedAt }) => longestGap(arrivedAt, since)))
  }
}

function longestGap(times: readonly number[], since: number): number {
  let longest = 0
  for (let at = times.length - 1; at > 0 && times[at]! > since; at--) {
    longest = Math.max(longest, times[at]! - times[at - 1]!)
  }
  return longest
}
