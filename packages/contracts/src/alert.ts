import { z } from 'zod'

export const severities = ['LOW', 'MEDIUM', 'HIGH', 'CRITICAL'] as const
export const alertStatuses = ['firing', 'resolved'] as const

export type Severity = (typeof severities)[number]

/** RFC 3339 with any offset, told in UTC from here on. */
export const timestamp = z.iso.datetime({ offset: true, error: 'must be an RFC 3339 date and time' })

const idText = z.string().min(1).max(255)

/**
 * Any JSON object, kept as it is. Not `z.record`: that would copy it, and would turn a member called `__proto__`,
 * which JSON may have, into the copy's prototype.
 */
const context = z.custom<Record<string, unknown>>(
  value => typeof value === 'object' && value !== null && !Array.isArray(value),
  { error: 'must be a JSON object' },
)

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
