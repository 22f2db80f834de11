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

export const deadLetterStates = ['waiting', 'replayed', 'discarded'] as const
export type DeadLetterState = (typeof deadLetterStates)[number]

/** A dead letter as the REST API lists it. */
export interface DeadLetterResource {
  dead_letter_id: string
  state: DeadLetterState
  service: string
  stage: string
  error: { code: string; message: string }
  attempts: number
  first_failed_at: string
  last_failed_at: string
  source: { topic: string; partition: number; offset: number; timestamp: string | null }
  /** null when there is no value, or none that was kept. */
  value_bytes: number | null
  value_omitted: boolean
  /** When it was replayed or discarded, and with which key; null while it waits. */
  settled_at: string | null
  settled_by: string | null
}

/** Bytes in base64, and as text where they are UTF-8. */
export interface Bytes {
  base64: string
  text: string | null
}

/** A single dead letter, with the record itself. */
export interface DeadLetterWhole extends DeadLetterResource {
  key: Bytes | null
  headers: { name: string; value: Bytes | null }[]
  value: Bytes | null
}

const chosen = z.string().min(1).max(300)

/** Which of the waiting letters to replay or discard. Without any limit `all` must say that it is meant. */
export const deadLetterSelectionSchema = z
  .strictObject({
    all: z.literal(true).optional(),
    error_code: chosen.optional(),
    service: chosen.optional(),
    topic: chosen.optional(),
    since: timestamp.optional(),
    /** The `up_to` of the answer before, to go on: what has failed since that began is left alone. */
    up_to: chosen.optional(),
  })
  .refine(
    ({ all, up_to: _, ...filter }) => (all === true) !== Object.values(filter).some(value => value !== undefined),
    {
      error: 'must have error_code, service, topic or since; or {"all": true} for every letter that waits',
    },
  )
export type DeadLetterSelection = z.infer<typeof deadLetterSelectionSchema>

/** A call does a bounded part: with `more` the next one, with the same selection and this `up_to`, goes on. */
export interface DeadLettersSettled {
  /** How many were replayed, or discarded. */
  settled: number
  /** How many of the selection wait on, because they cannot be replayed; always 0 of a discard. */
  skipped: number
  more: boolean
  /** The newest letter when it began; null when there was none. */
  up_to: string | null
}

/** By the UTC day of the first failure, the newest first, of each day the most frequent error first. */
export interface DeadLettersReport {
  days: number
  items: { day: string; error_code: string; letters: number; waiting: number }[]
}
