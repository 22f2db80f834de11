export interface AppErrorOptions {
  /** Would the same call, made later, have a chance? Loops retry on it, HTTP answers 503 for it. */
  retryable?: boolean
  /** Facts for the reader of the error: what a person or a program may act on, never parsed from the message. */
  details?: unknown
  cause?: unknown
}

/** Every failure that we expect is one of these. Anything else is a bug, and is treated as one. */
export class AppError extends Error {
  override readonly name = 'AppError'
  readonly code: string
  readonly retryable: boolean
  readonly details: unknown

  constructor(code: string, message: string, options: AppErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.retryable = options.retryable ?? false
    this.details = options.details
  }
}

export function isRetryable(error: unknown): boolean {
  return error instanceof AppError && error.retryable
}

/** The text of anything thrown. AggregateError (a refused connection on both IP versions) has an empty message of its own. */
export function messageOf(error: unknown): string {
  if (error instanceof AggregateError && error.message === '') return error.errors.map(messageOf).join('; ')
  return error instanceof Error ? error.message : String(error)
}
