import { type ErrorCode, type Problem, ProblemList, problemsOf } from '@tocsin/contracts/errors'
import { AppError } from '@tocsin/runtime/errors'
import type { z } from 'zod'

/** An answer that the caller can act on: one of the codes of the contract, which have their status there. */
export function refusal(code: ErrorCode, message: string, details: unknown = {}): AppError {
  return new AppError(code, message, { details })
}

/** The body was understood and is wrong: its problems together, each with its place, and never more than can be read. */
export function invalid(problems: Iterable<Problem>, details: Record<string, unknown> = {}): AppError {
  const list = ProblemList.of(problems)
  const told = [...list]
  const message = told.length === 1 ? 'one thing is wrong' : `${told.length} things are wrong`
  return refusal('invalid', list.isFull ? `more than ${told.length - 1} things are wrong` : message, {
    problems: told,
    ...details,
  })
}

/** The same for a problem at one place, told by whoever knows more than a schema does. */
export function invalidAt(pointer: string, code: string, message: string): AppError {
  return invalid([{ pointer, code, message }])
}

export function checked<Schema extends z.ZodType>(schema: Schema, value: unknown): z.infer<Schema> {
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  throw invalid(problemsOf(parsed.error))
}
