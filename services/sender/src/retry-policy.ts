/** How long after a failed attempt the next one comes. Five attempts, the last about three minutes after the first. */
export const retryDelaysMs = [1_000, 5_000, 30_000, 120_000] as const

/**
 * Attempts that ended with the process and not with an answer do not count against the schedule, but a delivery whose
 * sending kills the sender must end some day.
 */
export const attemptsMax = 20

/** Of a delay, this much more or less at random: what failed together does not come back together. */
const jitter = 0.2

/** The wait before the attempt after this one (they count from 1); undefined when this was the last. */
export function retryDelayMs(attempt: number, random: () => number = Math.random): number | undefined {
  const delayMs = retryDelaysMs[attempt - 1]
  return delayMs === undefined ? undefined : Math.round(delayMs * (1 - jitter + 2 * jitter * random()))
}
