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

/** Whoever has corrected these sends the body again and is told the next ones. */
export const problemsMax = 100

/**
 * Characters of all pointers together. Each pointer repeats the whole way to its place, so that 1 MiB of long names
 * around many small mistakes would otherwise make 10 GB of them.
 */
const pointerCharactersMax = 64 * 1024

/** Problems until there are enough of them; then one more that says so, and whoever looks for them can stop. */
export class ProblemList implements Iterable<Problem> {
  readonly #max: number
  readonly #problems: Problem[] = []
  #characters = 0
  #isFull = false

  constructor(max: number = problemsMax) {
    this.#max = max
  }

  static of(problems: Iterable<Problem>, max?: number): ProblemList {
    const list = new ProblemList(max)
    for (const problem of problems) {
      if (list.isFull) break
      list.add(problem)
    }
    return list
  }

  /** True when there was one that found no place. */
  get isFull(): boolean {
    return this.#isFull
  }

  add(problem: Problem): void {
    if (this.#isFull) return
    if (this.#problems.length >= this.#max || this.#characters >= pointerCharactersMax) {
      this.#isFull = true
      this.#problems.push({ pointer: '', code: 'more_problems', message: 'has more problems than are told here' })
      return
    }
    this.#problems.push(problem)
    this.#characters += problem.pointer.length
  }

  [Symbol.iterator](): Iterator<Problem> {
    return this.#problems.values()
  }
}

/** Turns zod's issues into problems with JSON pointers (RFC 6901: `~` and `/` are escaped). */
export function problemsOf(error: z.ZodError, max?: number): Problem[] {
  return [...ProblemList.of(eachProblem(error), max)]
}

function* eachProblem(error: z.ZodError): Generator<Problem> {
  for (const issue of error.issues) {
    if (issue.code === 'unrecognized_keys') {
      for (const key of issue.keys) {
        yield { pointer: pointerOf([...issue.path, key]), code: 'unknown_field', message: 'is not a known field' }
      }
      continue
    }
    const code = issue.code === 'custom' ? String(issue.params?.code ?? 'custom') : issue.code
    yield { pointer: pointerOf(issue.path), code, message: issue.message }
  }
}

export function pointerOf(path: readonly PropertyKey[]): string {
  return path.map(step => `/${String(step).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('')
}
