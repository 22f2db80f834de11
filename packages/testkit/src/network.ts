import { Transform } from 'node:stream'
import { pause } from '@tocsin/runtime/backoff'

export interface Conditions {
  /** Added to each piece that is sent, one way and the other. */
  latencyMs?: number
  bytesPerS?: number
  /** No byte passes, and nobody is told: connections stay, and what was sent arrives when this is over. */
  blackHole?: boolean
}

/** What lies between a client and a server behind a gate: by itself perfect, and as bad as it is told to be. */
export class Network {
  #conditions: Conditions = {}
  #changed = new AbortController()

  /** From now on; what is under way is under way no longer. Without any it is perfect again. */
  become(conditions: Conditions): void {
    this.#conditions = conditions
    this.#changed.abort()
    this.#changed = new AbortController()
  }

  /** One direction of one connection. */
  line(): Transform {
    return new Transform({
      transform: (chunk: Buffer, _encoding, done) => {
        const passed = this.#pass(chunk.length)
        if (passed === undefined) done(null, chunk)
        else void passed.then(() => done(null, chunk))
      },
    })
  }

  #pass(bytes: number): Promise<void> | undefined {
    const { latencyMs = 0, bytesPerS = Number.POSITIVE_INFINITY, blackHole = false } = this.#conditions
    const delayMs = latencyMs + (bytes / bytesPerS) * 1_000
    if (!blackHole && delayMs === 0) return undefined
    return blackHole ? this.#afterChange() : pause(delayMs, this.#changed.signal)
  }

  async #afterChange(): Promise<void> {
    while (this.#conditions.blackHole) {
      const { signal } = this.#changed
      await new Promise(resolve => signal.addEventListener('abort', resolve, { once: true }))
    }
  }
}
