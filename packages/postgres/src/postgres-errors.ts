import { AppError } from '@tocsin/runtime/errors'

/**
 * SQLSTATE classes after which the same statement may well succeed: connection trouble (08), a resource that ran out
 * (53), a server that stops or starts (57P), a lost race (40, 55P03), read-only during a failover (25006), and a
 * transaction that was ended because its process slept (25P03).
 */
const retryableStates = /^(08|53|57P|40|55P03|25006|25P03)/

const retryableSocketCodes = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ECONNABORTED',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
])

/** What pg throws without a code when the connection goes away under a query, or none can be had in time. */
const lostConnection = /Connection terminated|timeout exceeded when trying to connect|Query read timeout|not queryable/

export function isPostgresAway(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  if (error instanceof AggregateError && error.errors.length > 0) return error.errors.every(isPostgresAway)
  const code = 'code' in error && typeof error.code === 'string' ? error.code : undefined
  if (code !== undefined) return retryableStates.test(code) || retryableSocketCodes.has(code)
  return lostConnection.test(error.message)
}

/** Turns trouble with the connection into a retryable AppError and leaves everything else as it is. Always throws. */
export function rethrow(error: unknown): never {
  if (isPostgresAway(error)) {
    throw new AppError('postgres_unavailable', 'Postgres cannot be reached', { retryable: true, cause: error })
  }
  throw error
}
