import { z } from 'zod'

export const severities = ['LOW', 'MEDIUM', 'HIGH', 'CRITICAL'] as const
export const alertStatuses = ['firing', 'resolved'] as const

export type Severity = (typeof severities)[number]

/** RFC 3339 with any offset. One that a producer gave is kept as it was written; our own are in UTC. */
export const timestamp = z.iso.datetime({ offset: true, error: 'must be an RFC 3339 date and time' })

/**
 * Postgres has no U+0000 in text, and half a surrogate pair becomes U+FFFD on its way there, which would make one id
 * of two.
 */
const idText = z
  .string()
  .min(1)
  .max(255)
  .refine(text => !text.includes('\0') && text.isWellFormed(), {
    error: 'must not contain U+0000 or half of a surrogate pair',
    params: { code: 'bad_text' },
  })

/** Postgres and `JSON.stringify` run out of stack at some thousand levels, `JSON.parse` does not. */
export const maxJsonDepth = 200

/**
 * Any JSON object, kept as it is. Not `z.record`: that would copy it, and would turn a member called `__proto__`,
 * which JSON may have, into the copy's prototype.
 */
export const anyContext = z.custom<Record<string, unknown>>(
  value => typeof value === 'object' && value !== null && !Array.isArray(value),
  { error: 'must be a JSON object', abort: true },
)

const context = anyContext.refine(value => !isDeeperThan(maxJsonDepth, value), {
  error: `is nested deeper than ${maxJsonDepth} levels`,
  params: { code: 'too_deep' },
})

function isDeeperThan(levels: number, value: object): boolean {
  if (levels === 0) return true
  for (const key in value) {
    const child = (value as Record<string, unknown>)[key]
    if (typeof child === 'object' && child !== null && isDeeperThan(levels - 1, child)) return true
  }
  return false
}

/**
 * What a producer gives us: over HTTP without an id if it likes, on Kafka always with one. Unknown members are
 * refused over HTTP, where somebody reads the answer; on Kafka they are dropped, so that producers may be ahead of us.
 */
const alertFields = {
  alert_id: idText,
  severity: z.enum(severities),
  source: z.string().min(1).max(255),
  name: z.string().min(1).max(255),
  context: context.default(() => ({})),
  event_ts: timestamp,
  dedup_key: idText.optional(),
  status: z.enum(alertStatuses).default('firing'),
}

export const alertSubmissionSchema = z.strictObject({
  ...alertFields,
  alert_id: idText.optional(),
  event_ts: timestamp.optional(),
})

export const alertSchema = z.object(alertFields)

export type Alert = z.infer<typeof alertSchema>
export type AlertSubmission = z.infer<typeof alertSubmissionSchema>

/** What keeps order on every topic: the problem when it is named, else the alert itself. */
export function problemKey(alert: Pick<Alert, 'alert_id' | 'dedup_key'>): string {
  return alert.dedup_key ?? alert.alert_id
}
