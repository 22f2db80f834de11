import { z } from 'zod'
import { timestamp } from './alert.ts'
import { matchedRuleSchema } from './messages.ts'

/** A rule as an evaluator needs it. `conditions` were validated when the rule was written. */
export const snapshotRuleSchema = matchedRuleSchema.extend({
  team_id: z.string(),
  conditions: z.looseObject({}),
  notify_resolved: z.boolean(),
})

/** What `snapshot:current` points readers to. `hash` is the SHA-256 of the body, checked on reading. */
export const manifestSchema = z.object({
  version: z.number().int(),
  hash: z.string(),
  rules: z.number().int(),
  built_at: timestamp,
})

export type SnapshotRule = z.infer<typeof snapshotRuleSchema>
export type Manifest = z.infer<typeof manifestSchema>
