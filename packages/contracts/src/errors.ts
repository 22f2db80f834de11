import { z } from 'zod'

/** Every `error_code` that the APIs answer with, and its HTTP status. docs/errors.md is checked against this table. */
export const errorCodes = {
  malformed: 400,
  unauthenticated: 401,
  forbidden: 403,
  not_found: 404,
  method_not_allowed: 405,
  conflict: 409,
  stale: 412,
  too_large: 413,
  unsupported_media_type: 415,
  invalid: 422,
  internal: 500,
  unavailable: 503,
} as const

export type ErrorCode = keyof typeof errorCodes

/** One thing that is wrong with a body: where (a JSON pointer), which kind, and a sentence for a person. */
export const problemSchema = z.object({ pointer: z.string(), code: z.string(), message: z.string() })
export type Problem = z.infer<typeof problemSchema>

export const errorBodySchema = z.object({
  error_code: z.string(),
  message: z.string(),
  details: z.unknown(),
  timestamp: z.string(),
  request_id: z.string(),
})
export type ErrorBody = z.infer<typeof errorBodySchema>

/** Turns zod's issues into problems with JSON pointers (RFC 6901: `~` and `/` are escaped). */
export function problemsOf(error: z.ZodError): Problem[] {
  return error.issues.flatMap(issue => {
    if (issue.code === 'unrecognized_keys') {
      return issue.keys.map(key => ({
        pointer: pointerOf([...issue.path, key]),
        code: 'unknown_field',
        message: 'is not a known field',
      }))
    }
    const code = issue.code === 'custom' ? String(issue.params?.code ?? 'custom') : issue.code
    return [{ pointer: pointerOf(issue.path), code, message: issue.message }]
  })
}

export function pointerOf(path: readonly PropertyKey[]): string {
  return path.map(step => `/${String(step).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('')
}
