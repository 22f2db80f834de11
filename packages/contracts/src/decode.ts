import type { z } from 'zod'
import { problemsOf } from './errors.ts'

/** Bytes that are no valid message, with the reason. Consumers send such a record to the dead letters. */
export class InvalidMessage extends Error {
  override readonly name = 'InvalidMessage'
  readonly code: 'not_json' | 'not_the_schema'
  constructor(code: 'not_json' | 'not_the_schema', reason: string) {
    super(reason)
    this.code = code
  }
}

/** `fatal`, so that broken UTF-8 is refused instead of silently becoming U+FFFD. */
const utf8 = new TextDecoder('utf-8', { fatal: true })

export function decodeMessage<Schema extends z.ZodType>(schema: Schema, value: Uint8Array | null): z.infer<Schema> {
  const parsed = schema.safeParse(parseJson(value))
  if (parsed.success) return parsed.data
  const reasons = problemsOf(parsed.error).map(problem => `${problem.pointer || '/'} ${problem.message}`)
  throw new InvalidMessage('not_the_schema', reasons.join('; '))
}

function parseJson(value: Uint8Array | null): unknown {
  if (value === null) throw new InvalidMessage('not_json', 'the record has no value')
  try {
    return JSON.parse(utf8.decode(value))
  } catch (error) {
    throw new InvalidMessage('not_json', error instanceof Error ? error.message : String(error))
  }
}
