import { z } from 'zod'
import { alertSchema, anyContext, timestamp } from './alert.ts'

export const schemaVersion = 1

/**
 * `schema_version` may be missing on `alerts.new`, which other people's clients write. A version that we do not know is
 * refused rather than guessed at: the record waits in the dead letters for a program that can read it.
 */
const version = z.literal(schemaVersion)

export const alertMessageSchema = alertSchema.extend({
  schema_version: version.default(schemaVersion),
  // A producer outside may not know when the event was; the record's own time stands in (see `decodeAlert`).
  event_ts: timestamp.optional(),
})

export const ruleActions = ['created', 'updated', 'enabled', 'disabled', 'deleted'] as const

export const ruleChangedSchema = z.object({
  schema_version: version,
  team_id: z.string(),
  rule_id: z.string(),
  version: z.number().int(),
  action: z.enum(ruleActions),
  changed_at: timestamp,
})

/** A rule as a notification names it, at the version that matched. */
export const matchedRuleSchema = z.object({
  rule_id: z.string(),
  name: z.string(),
  version: z.number().int(),
  endpoint_ids: z.array(z.string()),
})

/** The rules of one team that matched. */
export const teamMatchSchema = z.object({
  team_id: z.string(),
  rules: z.array(matchedRuleSchema).min(1),
  /** More rules of this team come in the next record of the same key: all of them would not fit into one. */
  more_rules: z.literal(true).optional(),
})

/** One alert matched at least one rule of each of these teams. How deep its context is was looked at when it was new. */
export const matchSchema = z.object({
  schema_version: version,
  alert: alertSchema.extend({ context: anyContext }),
  teams: z.array(teamMatchSchema).min(1),
  snapshot_version: z.number().int(),
  matched_at: timestamp,
})

/** Only what finds the row and keeps the order: the row in Postgres is the truth. */
export const notificationReadySchema = z.object({
  schema_version: version,
  notification_id: z.string(),
  team_id: z.string(),
  alert_id: z.string(),
  /** The row is `skipped` from the start, as no rule names an endpoint: there is nothing to look up. */
  skipped: z.literal(true).optional(),
})

export type RuleAction = (typeof ruleActions)[number]
export type RuleChanged = z.infer<typeof ruleChangedSchema>
export type MatchedRule = z.infer<typeof matchedRuleSchema>
export type TeamMatch = z.infer<typeof teamMatchSchema>
export type Match = z.infer<typeof matchSchema>
export type NotificationReady = z.infer<typeof notificationReadySchema>
