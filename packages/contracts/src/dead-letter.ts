import { z } from 'zod'
import { timestamp } from './alert.ts'
import { schemaVersion } from './messages.ts'

const base64 = z.base64()

/** A record that could not be handled, kept whole: what it was, where it stood, and why it was put aside. */
export const deadLetterSchema = z.object({
  schema_version: z.literal(schemaVersion),
  service: z.string(),
  /** The step of the service that could not handle it. */
  stage: z.string(),
  source: z.object({
    topic: z.string(),
    partition: z.number().int(),
    offset: z.number().int(),
    /** null when the record carries no time that a calendar has. */
    timestamp: timestamp.nullable(),
    key: base64.nullable(),
    /** As on the wire: in order, a name may come twice, a value may be missing. */
    headers: z.array(z.object({ name: z.string(), value: base64.nullable() })),
  }),
  /** null for a tombstone, and when the record is too large to be kept twice: see `value_omitted`. */
  value: base64.nullable(),
  /** True when the value is left out for its size; the record itself is still at its source until the log expires. */
  value_omitted: z.boolean(),
  error: z.object({ code: z.string(), message: z.string() }),
  attempts: z.number().int().min(1),
  first_failed_at: timestamp,
  last_failed_at: timestamp,
})

export type DeadLetter = z.infer<typeof deadLetterSchema>
