import { z } from 'zod'
import { timestamp } from './alert.ts'
import { matchedRuleSchema } from './messages.ts'

/** A rule as an evaluator needs it. `conditions` were validated when the rule was written. */
export const snapshotRuleSchema = matchedRuleSchema.extend({
  team_id: z.string(),
  conditions: z.looseObject({}),
  notify_resolved: z.boolean(),
})

const count = z.number().int().nonnegative()

/** `hash` names the chunk, and is of the text that is in it; `bytes` is what it takes in Redis, compressed. */
export const chunkEntrySchema = z.object({ hash: z.string(), rules: count, bytes: count })

/**
 * No version and no token gets that far. What is above was written by somebody else, and counts as none: to go on above it
 * would soon leave the numbers that are exact.
 */
export const versionMax = 2 ** 52

export const versionNumber = z.number().int().max(versionMax)

/**
 * All rules at one version: which chunks they are in. A chunk without rules is an entry with an empty hash, and has no
 * key. `hash` is of the hashes of the chunks: equal ones mean equal rules.
 */
export const manifestSchema = z.object({
  version: versionNumber,
  /** The fencing token of the leader that built it. */
  token: versionNumber,
  hash: z.string(),
  rules: count,
  built_at: timestamp,
  /** When the oldest of the changes was made that this version is the first to hold; null when there is none. */
  oldest_change_at: timestamp.nullable(),
  chunks: z.array(chunkEntrySchema).min(1),
})

/**
 * What makes the base the snapshot of this version, where that is little: who has the base has nothing to read. A rule
 * without `json` is gone.
 */
export const snapshotNewsSchema = z.object({
  version: versionNumber,
  hash: z.string(),
  oldest_change_at: timestamp.nullable(),
  base: z.object({ version: versionNumber, hash: z.string() }),
  chunks: z.array(
    z.object({
      at: count,
      hash: z.string(),
      rules: z.array(z.object({ rule_id: z.string(), json: z.string().optional() })),
    }),
  ),
})

export type SnapshotNews = z.infer<typeof snapshotNewsSchema>
export type SnapshotRule = z.infer<typeof snapshotRuleSchema>
export type ChunkEntry = z.infer<typeof chunkEntrySchema>
export type Manifest = z.infer<typeof manifestSchema>
