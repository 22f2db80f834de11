import { messageOf } from './errors.ts'

export interface CheckResult {
  ok: boolean
  error?: string
}

/** A probe throws, with the reason, while what it looks at is not ready. */
export type Probe = () => Promise<void> | void

/** A probe that hangs must not hang `/ready`: an orchestrator's own timeout is often 1 to 3 s. */
const probeTimeoutMs = 2_000

/** The named checks behind `/ready`. All of them are false from the moment that stopping begins. */
export class Readiness {
  readonly #probes = new Map<string, Probe>()
  #stopping = false
  #starting = true

  add(check: string, probe: Probe): void {
    this.#probes.set(check, probe)
  }

  started(): void {
    this.#starting = false
  }

  stop(): void {
    this.#stopping = true
  }

  async check(): Promise<{ ready: boolean; checks: Record<string, CheckResult> }> {
    // Before the probes: one that is added while these run is not among them, and a start adds its last ones at its end.
    const starting = this.#starting
    const results = await Promise.all(
      Array.from(this.#probes, async ([name, probe]) => [name, await run(probe)] as const),
    )
    const checks: Record<string, CheckResult> = Object.fromEntries(results)
    if (this.#stopping) checks.process = { ok: false, error: 'stopping' }
    else if (starting) checks.process = { ok: false, error: 'starting' }
    return { ready: Object.values(checks).every(check => check.ok), checks }
  }
}

async function run(probe: Probe): Promise<CheckResult> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${probeTimeoutMs} ms`)), probeTimeoutMs)
  })
  try {
    await Promise.race([probe(), late])
    return { ok: true }
  } catch (error) {
    return { ok: false, error: messageOf(error) }
  } finally {
    clearTimeout(timer)
  }
}
