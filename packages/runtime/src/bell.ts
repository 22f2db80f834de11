import { pause } from './backoff.ts'

/** Wakes one who waits. Rung while nobody waits, it ends the next wait at once, so that no news is slept over. */
export class Bell {
  #rung = false
  #endWait: () => void = () => {}

  /** Costs nothing, and many rings end one wait. */
  ring(): void {
    this.#rung = true
    this.#endWait()
  }

  /** Until it rings or `stopping` fires, but no longer than this. */
  async wait(maxMs: number, stopping: AbortSignal): Promise<void> {
    if (!this.#rung && !stopping.aborted) {
      const over = new AbortController()
      const end = () => over.abort()
      this.#endWait = end
      // Taken off again: the signal lives as long as the process, and there are many waits in it.
      stopping.addEventListener('abort', end)
      await pause(maxMs, over.signal)
      stopping.removeEventListener('abort', end)
      this.#endWait = () => {}
    }
    this.#rung = false
  }
}
