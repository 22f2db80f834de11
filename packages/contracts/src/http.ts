import { z } from 'zod'
import { severities } from './alert.ts'
import type { Problem } from './errors.ts'
import type { RuleAction } from './messages.ts'

/** The bodies of the REST API, as callers write them. What the database adds is in the `…Resource` types. */

const name = z.string().trim().min(1).max(200)

export const teamIdSchema = z
  .string()
  .regex(/^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/, 'must be a slug: 1 to 63 of a-z, 0-9 and -, no - at either end')

export const teamCreateSchema = z.strictObject({ team_id: teamIdSchema, name })
/** The id may stand there again, as it does in what a GET gave; it cannot be changed. */
export const teamUpdateSchema = z.strictObject({ team_id: teamIdSchema.optional(), name })

const enabled = z.boolean().default(true)
const emailAddress = z.email('must be an email address').max(254)

const webhookUrl = z.string().max(2_048)

export const endpointCreateSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('webhook'), name, url: webhookUrl, enabled }),
  z.strictObject({ kind: z.literal('email'), name, to: z.array(emailAddress).min(1).max(50), enabled }),
])

export const ruleSettings = {
  endpoints: z.array(z.string().min(1).max(64)).max(20).default([]),
  enabled,
  notify_resolved: z.boolean().default(true),
}

/** `conditions` has a language of its own: packages/rules checks it and says where it is wrong. */
export const ruleConditionsFormSchema = z.strictObject({ name, conditions: z.looseObject({}), ...ruleSettings })

export const ruleShorthandFormSchema = z.strictObject({
  severity: z.enum(['*', ...severities]),
  source: z.string().min(1).max(255),
  name: z.string().min(1).max(255),
  ...ruleSettings,
})

export type TeamCreate = z.infer<typeof teamCreateSchema>
export type EndpointCreate = z.infer<typeof endpointCreateSchema>

export interface TeamResource {
  team_id: string
  name: string
  version: number
  created_at: string
  updated_at: string
}

export interface EndpointResource {
  endpoint_id: string
  team_id: string
  kind: 'webhook' | 'email'
  name: string
  url?: string
  to?: string[]
  enabled: boolean
  version: number
  created_at: string
  updated_at: string
}

/** What people write of a rule, with everything filled in. */
export interface RuleAsRead {
  name: string
  /** Only of a rule that was written in the short form. */
  severity?: string
  source?: string
  conditions: Record<string, unknown>
  endpoints: string[]
  enabled: boolean
  notify_resolved: boolean
}

export interface RuleResource extends RuleAsRead {
  rule_id: string
  team_id: string
  version: number
  created_at: string
  updated_at: string
  /** Only in the answer to a write, and only when there are any: what is allowed and looks like a mistake. */
  warnings?: Problem[]
  /** Only of a single rule; null while nobody can be asked. */
  live?: RuleLive | null
}

/** How many of the running evaluators match with the rule's current version: `2/3` is two of three. */
export interface RuleLive {
  evaluators: string
  /** Of the first snapshot that knows the rule's current version; null until there is one. */
  version: number | null
  /** When that snapshot could be read. */
  since: string | null
}

/** One change of a rule: who, when, what it was before and after. */
export interface RuleVersionResource {
  version: number
  action: RuleAction
  changed_at: string
  /** Null: nobody wrote down who changed it. A key that is deleted has no name any more. */
  changed_by: { key_id: string; name: string | null } | null
  /** Null: it was made with this version, or nobody wrote down what was before. */
  before: RuleAsRead | null
  /** Null: it was deleted. */
  after: RuleAsRead | null
  /** The first snapshot that knows of the change, and when that could be read; null until there is one. */
  snapshot_version: number | null
  live_since: string | null
}

/** What evaluators are given to match with, who makes it, and who has it. Null is what nobody knows (yet). */
export interface SnapshotResource {
  version: number | null
  /** The fencing token of the leader that built it. */
  token: number | null
  /** Of its contents: equal ones mean equal rules. */
  hash: string | null
  /** Only those that are enabled. */
  rules: number | null
  chunks: number | null
  /** What the chunks take in Redis. */
  bytes: number | null
  built_at: string | null
  age_seconds: number | null
  /** Who builds snapshots now. Null: nobody, and a change waits. */
  leader: { leader_id: string; since: string; lease_until: string } | null
  /** The last comparison of everything with Postgres. */
  last_reconcile: { at: string; seconds: number; rules: number; drift: number } | null
  rebuilds: { wanted: number; done: number }
  /** Changes that no snapshot has yet. */
  waiting_changes: number
  evaluators: SnapshotEvaluator[]
  /** How many of the running evaluators match with this version, or a later one: `2/3` is two of three. */
  evaluators_current: string
}

export interface SnapshotEvaluator {
  evaluator_id: string
  version: number
  since: string
  /** Rules of that version that it leaves out because it cannot use them: it is older than what they are written with. */
  refused_rules: number
  /** How far it is behind, and for how long there has been something newer; nulls while there is nothing to compare. */
  lag: { versions: number | null; seconds: number | null }
}

export const notificationStatuses = ['pending', 'ready', 'delivered', 'partial', 'failed', 'skipped'] as const
export type NotificationStatus = (typeof notificationStatuses)[number]

export interface NotificationResource {
  notification_id: string
  team_id: string
  alert_id: string
  alert: Record<string, unknown>
  rule_ids: string[]
  rules: { rule_id: string; name: string; version: number }[]
  status: NotificationStatus
  created_at: string
  updated_at: string
}

export const deliveryStates = ['pending', 'scheduled', 'delivering', 'delivered', 'failed', 'skipped'] as const
export type DeliveryState = (typeof deliveryStates)[number]

export interface DeliveryResource {
  delivery_id: string
  notification_id: string
  team_id: string
  endpoint_id: string
  kind: string
  state: DeliveryState
  /** How often it was tried. */
  attempts: number
  last_error: string | null
  /** Null once there is nothing more to try. */
  next_attempt_at: string | null
  created_at: string
  updated_at: string
}

export interface Page<Item> {
  items: Item[]
  next_cursor: string | null
}

/** One item of the answer to `POST /api/v1/alerts`, in the order of the request. */
export type IngestResult =
  | { status: 'accepted'; alert_id: string; topic: string; partition: number; offset: string }
  | {
      status: 'rejected'
      alert_id?: string
      error_code: string
      problems: { pointer: string; code: string; message: string }[]
    }
  | { status: 'unavailable'; alert_id: string; error_code: string; message: string }
