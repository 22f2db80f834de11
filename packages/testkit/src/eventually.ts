import { setTimeout as sleep } from 'node:timers/promises'

/** Looks again until `check` stops throwing; then gives its value. The last failure is the test's failure. */
export async function eventually<T>(check: () => Promise<T> | T, { withinMs = 15_000, everyMs = 50 } = {}): Promise<T> {
  for (const deadline = Date.now() + withinMs; ; ) {
    try {
      return await check()
    } catch (error) {
      if (Date.now() >= deadline) throw error
      await sleep(everyMs)
    }
  }
}
