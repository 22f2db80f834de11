import { problemsOf } from '@tocsin/contracts/errors'
import { type SnapshotNews, type SnapshotRule, snapshotRuleSchema } from '@tocsin/contracts/snapshot'
import { digestLength, digestOf, linesOf, type RuleLine } from '@tocsin/redis/snapshot-chunk'

/**
 * What is kept of a chunk to tell later which of its rules are new: 19 bytes a rule. The ids are the texts that the
 * rules are found by, and the digests stand one behind the other in one text.
 */
export interface HeldChunk {
  readonly hash: string
  readonly ids: readonly string[]
  readonly digests: string
  /** From news, and not compared with the chunk itself yet. */
  readonly isTold: boolean
}

export const noChunk: HeldChunk = { hash: '', ids: [], digests: '', isTold: false }

/** What makes a held chunk another one. */
export interface ChunkChange {
  readonly at: number
  readonly chunk: HeldChunk
  readonly removed: readonly string[]
  /** Rules that are new or other than before, still to be read: of large ones that takes longer than all that is done here. */
  readonly put: readonly PutLine[]
}

/** `json` is a piece of the text of the chunk. */
export type PutLine = Pick<RuleLine, 'rule_id' | 'json'>

/**
 * Both are in the order of their ids, so one walk finds what is new. Lines in another order only cost: what seems to be
 * gone is removed first, and then what seems to be new is put.
 */
export function changeOf(at: number, held: HeldChunk, hash: string, text: string): ChunkChange {
  const ids: string[] = []
  const digests: string[] = []
  const removed: string[] = []
  const put: PutLine[] = []
  let next = 0
  for (const line of linesOf(text)) {
    while (next < held.ids.length && held.ids[next]! < line.rule_id) removed.push(held.ids[next++]!)
    const known = held.ids[next] === line.rule_id
    const rule_id = known ? held.ids[next]! : ownText(line.rule_id)
    const isSame = known && held.digests.startsWith(line.digest, next * digestLength)
    if (!isSame) put.push({ rule_id, json: line.json })
    ids.push(rule_id)
    digests.push(line.digest)
    if (known) next++
  }
  while (next < held.ids.length) removed.push(held.ids[next++]!)
  return { at, chunk: { hash, ids, digests: digests.join(''), isTold: false }, removed, put }
}

/** What the held chunk becomes by what is told of some of its rules. */
export function toldChangeOf(held: HeldChunk, { at, hash, rules }: SnapshotNews['chunks'][number]): ChunkChange {
  const ids: string[] = []
  const digests: string[] = []
  const removed: string[] = []
  const put: PutLine[] = []
  let next = 0
  const keep = (until: number) => {
    digests.push(held.digests.slice(next * digestLength, until * digestLength))
    while (next < until) ids.push(held.ids[next++]!)
  }
  for (const { rule_id, json } of rules.toSorted((a, b) => (a.rule_id < b.rule_id ? -1 : 1))) {
    let place = next
    while (place < held.ids.length && held.ids[place]! < rule_id) place++
    keep(place)
    const known = held.ids[next] === rule_id ? held.ids[next++] : undefined
    if (json !== undefined) {
      ids.push(known ?? rule_id)
      digests.push(digestOf(json))
      put.push({ rule_id: known ?? rule_id, json })
    } else if (known !== undefined) {
      removed.push(known)
    }
  }
  keep(held.ids.length)
  return { at, chunk: { hash, ids, digests: digests.join(''), isTold: true }, removed, put }
}

/** For what outlives the chunk: a piece that is cut out of a text keeps all of it in memory. */
export const ownText = (piece: string): string => Buffer.from(piece).toString()

/** Throws with the reason when the line is no rule. */
export function readRule({ rule_id, json }: PutLine): SnapshotRule {
  const parsed = snapshotRuleSchema.safeParse(JSON.parse(json))
  if (!parsed.success) {
    const [first] = problemsOf(parsed.error)
    throw new Error(`${first?.pointer || '/'} ${first?.message}`)
  }
  if (parsed.data.rule_id !== rule_id) throw new Error(`it is another rule: ${parsed.data.rule_id}`)
  return parsed.data
}
