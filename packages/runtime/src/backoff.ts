import { setTimeout as sleep } from 'node:timers/promises'

export interface BackoffOptions {
  baseMs?: number
  capMs?: number
}

/** Exponential with full jitter: many clients that failed together do not come back together. Attempts count from 1. */
export function backoffMs(attempt: number, { baseMs = 100, capMs = 30_000 }: BackoffOptions = {}): number {
  const ceiling = Math.min(capMs, baseMs * 2 ** Math.min(attempt - 1, 30))
  return ceiling / 2 + (Math.random() * ceiling) / 2
}

/** How loudly to tell of the nth failure in a row: an outage of an hour is a few lines (1, 2, 4, 8, …), not thousands. */
export function failureLevel(failures: number): 'warn' | 'debug' {
  return Number.isInteger(Math.log2(failures)) ? 'warn' : 'debug'
}

/** Sleeps, or returns early when `stopping` fires. Never rejects: the caller's loop looks at the signal itself. */
export async function pause(delayMs: number, stopping: AbortSignal): Promise<void> {
  await sleep(delayMs, undefined, { signal: stopping }).catch(() => {})
}

/** Waits for `work`, but no longer than this. True when it ended in time; a failure of it is thrown then. */
export async function endsWithin(work: Promise<unknown>, withinMs: number): Promise<boolean> {
  const over = new AbortController()
  const late = pause(withinMs, over.signal).then(() => false)
  try {
    return await Promise.race([work.then(() => true), late])
  } finally {
    over.abort()
  }
}
