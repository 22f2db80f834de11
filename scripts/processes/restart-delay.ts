const baseMs = 1_000
const capMs = 30_000

/** A process that lived this long had started well: its next end is a new story, not the next chapter of a crash loop. */
const settledAfterMs = 60_000

/** How long to wait before a process is started again: 1 s, doubling to 30 s, from the start again after a minute of life. */
export class RestartDelay {
  #failures = 0

  next(livedMs: number): number {
    if (livedMs >= settledAfterMs) this.#failures = 0
    const delayMs = Math.min(capMs, baseMs * 2 ** this.#failures)
    this.#failures += 1
    return delayMs
  }
}
