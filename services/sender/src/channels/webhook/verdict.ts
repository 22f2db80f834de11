import type { Outcome } from '../channel.ts'

/**
 * Success is 2xx and nothing else. A redirect is not followed, as it could lead anywhere, and is retried: the receiver
 * may be moving house. Any other 4xx would get the same answer to the same request for ever.
 */
export function verdictOfStatus(status: number): Pick<Outcome, 'verdict' | 'errorCode'> {
  if (status >= 200 && status < 300) return { verdict: 'delivered' }
  if (status >= 300 && status < 400) return { verdict: 'retry', errorCode: 'http_redirect' }
  if (status === 429) return { verdict: 'retry', errorCode: 'http_rate_limited' }
  if (status === 410) return { verdict: 'permanent', errorCode: 'http_gone' }
  // 408 says "not now", the others "not like this".
  if (status >= 400 && status < 500) return { verdict: status === 408 ? 'retry' : 'permanent', errorCode: 'http_4xx' }
  if (status < 200) return { verdict: 'retry', errorCode: 'bad_answer' } // 101: another protocol than the one we speak
  return { verdict: 'retry', errorCode: 'http_5xx' }
}

/** A request without an answer: it may have arrived all the same, which is what webhook-id is for. */
export function outcomeOfFailure(error: unknown, timeout: AbortSignal): Outcome {
  if (timeout.aborted) return { verdict: 'retry', errorCode: 'timeout' }
  const code = codeOf(error)
  return { verdict: 'retry', errorCode: errorCodeOf(code), reply: code }
}

function errorCodeOf(code: string): string {
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return 'dns_failed'
  if (code.startsWith('HPE_')) return 'bad_answer' // what came is not HTTP
  return /CERT|TLS|SSL|SELF_SIGNED|UNABLE_TO/.test(code) ? 'tls_failed' : 'connection_failed'
}

function codeOf(error: unknown): string {
  if (error instanceof Error && 'code' in error && typeof error.code === 'string') return error.code
  return error instanceof Error ? error.message : String(error)
}
