import { pause } from '@tocsin/runtime/backoff'

/** Wakes one sleeper. Rung while nobody sleeps, it ends the next sleep at once, so that nothing is slept over. */
export class Bell {
  #rung = false
  #endSleep: () => void = () => {}

  ring(): void {
    this.#rung = true
    this.#endSleep()
  }

  /** Until it rings, but no longer than this. */
  async sleep(maxMs: number, stopping: AbortSignal): Promise<void> {
    if (!this.#rung) {
      const over = new AbortController()
      const end = () => over.abort()
      this.#endSleep = end
      stopping.addEventListener('abort', end)
      if (!stopping.aborted) await pause(maxMs, over.signal)
      stopping.removeEventListener('abort', end)
      this.#endSleep = () => {}
    }
    this.#rung = false
  }
}
