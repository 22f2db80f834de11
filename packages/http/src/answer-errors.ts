import { type ErrorBody, type ErrorCode, errorCodes } from '@tocsin/contracts/errors'
import { newId } from '@tocsin/contracts/ids'
import { AppError, isRetryable } from '@tocsin/runtime/errors'
import type { ErrorRequestHandler } from 'express'
import { contextOf } from './request-context.ts'

/** Long enough that a crowd of callers does not hammer on what is away, short enough to go on soon after it is back. */
export const retryAfterSeconds = 2

interface Failure {
  code: ErrorCode
  message: string
  details: unknown
}

export function errorBody({ code, message, details }: Failure, requestId: string = newId('request')): ErrorBody {
  return { error_code: code, message, details, timestamp: new Date().toISOString(), request_id: requestId }
}

/** Total: answers for every error, also for those that it did not make. */
export function failureOf(error: unknown): Failure {
  if (error instanceof AppError && Object.hasOwn(errorCodes, error.code)) {
    return { code: error.code as ErrorCode, message: error.message, details: error.details ?? {} }
  }
  if (isRetryable(error)) {
    // The message may name hosts; the code is enough to know which dependency it is.
    const details = { reason: (error as AppError).code }
    return { code: 'unavailable', message: 'something that is needed cannot be reached now; try again', details }
  }
  return failureOfExpress(error) ?? { code: 'internal', message: 'internal error', details: {} }
}

const codeOfStatus = new Map<unknown, ErrorCode>([
  [400, 'malformed'],
  [413, 'too_large'],
  [415, 'unsupported_media_type'],
])

/** What express and its parsers throw: a `%` in the path that is no escape, a body that is cut off or cannot be unpacked. */
function failureOfExpress(error: unknown): Failure | undefined {
  if (!(error instanceof Error) || !('status' in error)) return undefined
  const code = codeOfStatus.get(error.status)
  return code && { code, message: error.message, details: {} }
}

export const answerErrors: ErrorRequestHandler = (error, _req, res, next) => {
  const { requestId, log } = contextOf(res)
  const failure = failureOf(error)
  const status = errorCodes[failure.code]
  if (status === 500) log.error({ err: error }, 'request failed')
  else if (status === 503) log.debug({ err: error }, 'request refused for now')
  if (res.headersSent) return next(error) // express cuts the connection: half an answer must not look whole
  if (status === 503) res.setHeader('retry-after', retryAfterSeconds)
  res.status(status).json(errorBody(failure, requestId))
}
