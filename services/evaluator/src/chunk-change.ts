import { problemsOf } from '@tocsin/contracts/errors'
import { type SnapshotRule, snapshotRuleSchema } from '@tocsin/contracts/snapshot'
import { digestLength, linesOf, type RuleLine } from '@tocsin/redis/snapshot-chunk'
import { messageOf } from '@tocsin/runtime/errors'

/**
 * What is kept of a chunk to tell later which of its rules are new: 19 bytes a rule. The ids are the texts that the
 * rules are found by, and the digests stand one behind the other in one text.
 */
export interface HeldChunk {
  readonly hash: string
  readonly ids: readonly string[]
  readonly digests: string
}

export const noChunk: HeldChunk = { hash: '', ids: [], digests: '' }

/** A rule that cannot be used, and why. */
export interface Refusal {
  rule_id: string
  reason: string
}

export type ReadRule = { rule_id: string; rule: SnapshotRule } | Refusal

/** What makes a held chunk another one. */
export interface ChunkChange {
  readonly at: number
  readonly chunk: HeldChunk
  readonly removed: readonly string[]
  /** Rules that are new or other than before. */
  readonly put: readonly ReadRule[]
}

/**
 * Both are in the order of their ids, so one walk finds what is new. Lines in another order only cost: what seems to be
 * gone is removed first, and then what seems to be new is put.
 */
export function changeOf(at: number, held: HeldChunk, hash: string, text: string): ChunkChange {
  const ids: string[] = []
  const digests: string[] = []
  const removed: string[] = []
  const put: ReadRule[] = []
  let next = 0
  for (const line of linesOf(text)) {
    while (next < held.ids.length && held.ids[next]! < line.rule_id) removed.push(held.ids[next++]!)
    const known = held.ids[next] === line.rule_id
    if (known && held.digests.startsWith(line.digest, next * digestLength)) ids.push(held.ids[next]!)
    else ids.push(put[put.push(readRule(line)) - 1]!.rule_id)
    digests.push(line.digest)
    if (known) next++
  }
  removed.push(...held.ids.slice(next))
  return { at, chunk: { hash, ids, digests: digests.join('') }, removed, put }
}

/** The id is a text of its own. A piece cut out of the chunk would keep the whole chunk in memory. */
function readRule({ rule_id, json }: RuleLine): ReadRule {
  const refuse = (reason: string): Refusal => ({ rule_id: Buffer.from(rule_id).toString(), reason })
  let value: unknown
  try {
    value = JSON.parse(json)
  } catch (error) {
    return refuse(messageOf(error))
  }
  const parsed = snapshotRuleSchema.safeParse(value)
  if (!parsed.success) {
    const [first] = problemsOf(parsed.error)
    return refuse(`${first?.pointer || '/'} ${first?.message}`)
  }
  if (parsed.data.rule_id !== rule_id) return refuse(`it is another rule: ${parsed.data.rule_id}`)
  return { rule_id: parsed.data.rule_id, rule: parsed.data }
}
