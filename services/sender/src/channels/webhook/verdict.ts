import type { Outcome } from '../channel.ts'

/** 4xx that say "not now" instead of "not like this". */
const retryable4xx = new Set([408, 429])

/**
 * Success is 2xx and nothing else. A redirect is not followed, as it could lead anywhere, and is retried: the receiver
 * may be moving house. Any other 4xx would get the same answer to the same request for ever.
 */
export function verdictOfStatus(status: number): Pick<Outcome, 'verdict' | 'errorCode'> {
  if (status >= 200 && status < 300) return { verdict: 'delivered' }
  if (status >= 300 && status < 400) return { verdict: 'retry', errorCode: 'http_redirect' }
  if (status === 429) return { verdict: 'retry', errorCode: 'http_rate_limited' }
  if (status === 410) return { verdict: 'permanent', errorCode: 'http_gone' }
  if (status >= 400 && status < 500) {
    return { verdict: retryable4xx.has(status) ? 'retry' : 'permanent', errorCode: 'http_4xx' }
  }
  return { verdict: 'retry', errorCode: 'http_5xx' }
}

/** What `fetch` throws: the reason is in the cause, the message is always "fetch failed". */
export function outcomeOfFailure(error: unknown, timeout: AbortSignal): Outcome {
  if (timeout.aborted) return { verdict: 'retry', errorCode: 'timeout' }
  const code = causeCode(error)
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return { verdict: 'retry', errorCode: 'dns_failed', reply: code }
  if (/CERT|TLS|SSL/.test(code)) return { verdict: 'retry', errorCode: 'tls_failed', reply: code }
  return { verdict: 'retry', errorCode: 'connection_failed', reply: code }
}

function causeCode(error: unknown): string {
  const cause = error instanceof Error && error.cause !== undefined ? error.cause : error
  if (typeof cause === 'object' && cause !== null && 'code' in cause && typeof cause.code === 'string')
    return cause.code
  return cause instanceof Error ? cause.message : String(cause)
}
