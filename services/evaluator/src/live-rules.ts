import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Alert } from '@tocsin/contracts/alert'
import type { SnapshotRule } from '@tocsin/contracts/snapshot'
import { createMatcher } from '@tocsin/rules'
import { messageOf } from '@tocsin/runtime/errors'
import { type ChunkChange, changeOf, type HeldChunk, noChunk, type ReadRule, type Refusal } from './chunk-change.ts'

/** Adding a rule takes some 10 µs: after these many, batches and heartbeats get their turn. */
const rulesPerTurn = 256

const refusalsTold = 10

/** Which snapshot rules are of. */
export interface SnapshotName {
  version: number
  hash: string
}

/** A rule as the result needs it. Its conditions live on in the matcher only. */
interface LiveRule {
  readonly team_id: string
  readonly notify_resolved: boolean
  /** What a match says of it, as JSON: one text takes less memory than what it is made of. */
  readonly text: string
}

/**
 * The rules of one snapshot, ready to be matched, and what is needed to make them those of the next one. `apply` does
 * that in one synchronous run, so whoever matches without a pause sees one snapshot.
 */
export class LiveRules {
  readonly #matcher = createMatcher({ validated: true })
  readonly #rules = new Map<string, LiveRule>()
  /** Rules that cannot be used. Validated ones always can, unless rule-service is newer than this program. */
  readonly #refused = new Map<string, Refusal>()
  /** Each name once, and not once a rule. Those of teams that are gone stay until rules are built anew. */
  readonly #teams = new Map<string, string>()
  readonly #chunks: HeldChunk[]
  #name: SnapshotName = { version: -1, hash: '' }

  constructor(chunkCount: number) {
    this.#chunks = Array.from({ length: chunkCount }, () => noChunk)
  }

  get version(): number {
    return this.#name.version
  }

  get hash(): string {
    return this.#name.hash
  }

  get size(): number {
    return this.#rules.size
  }

  get refused(): number {
    return this.#refused.size
  }

  /** The latest of them, for a log: there may be very many. */
  get latestRefusals(): Refusal[] {
    return [...this.#refused.values()].slice(-refusalsTold)
  }

  get chunkCount(): number {
    return this.#chunks.length
  }

  holds(at: number, hash: string): boolean {
    return this.#chunks[at]?.hash === hash
  }

  /** What the chunk at this place becomes with this text. Changes nothing yet. */
  changeTo(at: number, hash: string, text: string): ChunkChange {
    return changeOf(at, this.#chunks[at]!, hash, text)
  }

  /** All of it in one run. Tells how many of the rules that it puts cannot be used. */
  apply(changes: readonly ChunkChange[], { version, hash }: SnapshotName): number {
    let refused = 0
    for (const { removed } of changes) for (const id of removed) this.#remove(id)
    for (const { at, chunk, put } of changes) {
      for (const read of put) if (!this.#put(read)) refused++
      this.#chunks[at] = chunk
    }
    this.#name = { version, hash }
    return refused
  }

  /** For rules that nobody matches with yet: takes its time, and lets the rest of the process go on meanwhile. */
  async applyWithPauses({ at, chunk, removed, put }: ChunkChange): Promise<void> {
    for (const id of removed) this.#remove(id)
    for (const [index, read] of put.entries()) {
      if (index % rulesPerTurn === 0) await nextTurn()
      this.#put(read)
    }
    this.#chunks[at] = chunk
  }

  /** The rules that hold for this alert, as JSON, by team. Undefined when there is none, as for nearly every alert. */
  match(alert: Alert): Map<string, string[]> | undefined {
    let byTeam: Map<string, string[]> | undefined
    for (const id of this.#matcher.match(alert)) {
      const rule = this.#rules.get(id)
      if (rule === undefined || (alert.status === 'resolved' && !rule.notify_resolved)) continue
      byTeam ??= new Map()
      const texts = byTeam.get(rule.team_id)
      if (texts === undefined) byTeam.set(rule.team_id, [rule.text])
      else texts.push(rule.text)
    }
    return byTeam
  }

  /** One rule that this program cannot read must not keep all teams on an old snapshot: it is left out. */
  #put(read: ReadRule): boolean {
    const { rule_id } = read
    try {
      if ('reason' in read) throw new Error(read.reason)
      this.#matcher.add({ id: rule_id, conditions: read.rule.conditions })
      this.#rules.set(rule_id, this.#liveRule(read.rule))
      this.#refused.delete(rule_id)
      return true
    } catch (error) {
      this.#remove(rule_id)
      this.#refused.set(rule_id, { rule_id, reason: messageOf(error) })
      return false
    }
  }

  #remove(ruleId: string): void {
    this.#matcher.remove(ruleId)
    this.#rules.delete(ruleId)
    this.#refused.delete(ruleId)
  }

  #liveRule({ rule_id, name, version, endpoint_ids, team_id, notify_resolved }: SnapshotRule): LiveRule {
    const team = this.#teams.get(team_id) ?? team_id
    this.#teams.set(team, team)
    return { team_id: team, notify_resolved, text: JSON.stringify({ rule_id, name, version, endpoint_ids }) }
  }
}
