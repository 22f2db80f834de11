/** A service's own answer to whether it is ready, and what it is waiting for when it is not. */
export interface Readiness {
  readonly ready: boolean
  /** For people, when not ready: `postgres: connect ECONNREFUSED`. */
  readonly reason: string
}

/** Longer than a service's own limit for its checks (2 s), so that its reason arrives. */
const answerTimeoutMs = 3_000

interface ReadyBody {
  readonly checks?: Readonly<Record<string, { readonly ok: boolean; readonly error?: string }>>
}

export async function probeService(url: string): Promise<Readiness> {
  try {
    const response = await fetch(`${url}/ready`, { signal: AbortSignal.timeout(answerTimeoutMs) })
    const body = (await response.json()) as ReadyBody
    const failing = Object.entries(body.checks ?? {}).filter(([, check]) => !check.ok)
    const reason = failing.map(([name, check]) => `${name}: ${check.error ?? 'not ready'}`).join('; ')
    return { ready: response.status === 200, reason }
  } catch (error) {
    const late = error instanceof Error && error.name === 'TimeoutError'
    return { ready: false, reason: late ? `no answer within ${answerTimeoutMs / 1_000} s` : 'not listening' }
  }
}
