import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Alert } from '@tocsin/contracts/alert'
import type { SnapshotNews, SnapshotRule } from '@tocsin/contracts/snapshot'
import { hashOfChunks } from '@tocsin/redis/snapshot-chunk'
import { createMatcher } from '@tocsin/rules'
import { messageOf } from '@tocsin/runtime/errors'
import {
  type ChunkChange,
  changeOf,
  type HeldChunk,
  noChunk,
  type PutLine,
  readRule,
  toldChangeOf,
} from './chunk-change.ts'

/**
 * After so long, batches and heartbeats get their turn. It is a time and not a number of rules, because one takes 7 µs and
 * the next one, of 64 KiB, 10 ms: 2,000 of those in one run would cost the evaluator its Kafka session.
 */
const turnMs = 3

const refusalsTold = 10

/** Which snapshot rules are of. */
export interface SnapshotName {
  version: number
  hash: string
}

/** A rule that cannot be used, and why. */
export interface Refusal {
  rule_id: string
  reason: string
}

/** A rule as the result needs it. Its conditions live on in the matcher only. */
interface LiveRule {
  readonly team_id: string
  readonly notify_resolved: boolean
  /** What a match says of it, as JSON: one text takes less memory than what it is made of. */
  readonly text: string
}

/** In the matcher under this key, beside the one that it replaces, and not in use yet. */
interface PreparedRule {
  readonly rule_id: string
  readonly key: string
  readonly replacedKey: string | undefined
  readonly rule: LiveRule
}

/**
 * The rules of one snapshot, ready to be matched, and what is needed to make them those of the next one, in three steps:
 * `prepare` puts the rules that are new into the matcher beside those that they replace, `take` exchanges them, `tidy` takes
 * the old ones out. The first and the last take their time; of what the matcher finds, only rules in use count, and those
 * change in one short synchronous run. So whoever matches without a pause sees one snapshot.
 */
export class LiveRules {
  readonly #matcher = createMatcher({ validated: true })
  /** Those in use, by their key in the matcher: the id of the rule, or another when that was still taken by the one before. */
  readonly #rules = new Map<string, LiveRule>()
  readonly #otherKeys = new Map<string, string>()
  #prepared: (PreparedRule | Refusal)[] = []
  /** Keys of rules that are in use no more. */
  #replaced: string[] = []
  /** Rules that cannot be used. Validated ones always can, unless rule-service is newer than this program. */
  readonly #refused = new Map<string, Refusal>()
  /** Each name once, and not once a rule. Those of teams that are gone stay until rules are built anew. */
  readonly #teams = new Map<string, string>()
  readonly #chunks: HeldChunk[]
  #name: SnapshotName = { version: -1, hash: '' }
  #turnEndsAt = 0

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

  /** Some of them, for others to know of. */
  refusedIds(max: number): string[] {
    return this.#refused.keys().take(max).toArray()
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

  /** What the news make of these rules; undefined when they are not about them, or not right. Changes nothing yet. */
  toldChanges({ base, hash, chunks }: SnapshotNews): ChunkChange[] | undefined {
    if (base.version !== this.version || base.hash !== this.hash) return undefined
    if (chunks.some(({ at }) => at >= this.chunkCount)) return undefined
    const hashes = this.#chunks.map(chunk => chunk.hash)
    for (const { at, hash } of chunks) hashes[at] = hash
    if (hashOfChunks(hashes.map(hash => ({ hash }))) !== hash) return undefined
    // Should they all be of a shape that cannot be used, then `bringTo` is needed, which takes none or those that can.
    if (chunks.reduce((sum, { rules }) => sum + rules.length, 0) >= this.size) return undefined
    return chunks.map(told => toldChangeOf(this.#chunks[told.at]!, told))
  }

  /** Where chunks are that nothing but news says anything of. */
  told(max: number): ReadonlySet<number> {
    const places = this.#chunks.entries().filter(([, { isTold }]) => isTold)
    return new Set(places.take(max).map(([at]) => at))
  }

  /** Nobody sees anything of it yet. One rule that this program cannot read is left out, and keeps no other back. */
  async prepare({ put }: ChunkChange): Promise<void> {
    for (const line of put) {
      if (performance.now() >= this.#turnEndsAt) await this.#nextTurn()
      this.#prepared.push(this.#prepare(line))
    }
  }

  /**
   * Takes what is prepared of these changes into use, all of it in one run of one or two microseconds a rule, whatever the
   * rule. Tells how many of the rules that they put cannot be used.
   */
  take(changes: readonly ChunkChange[], { version, hash }: SnapshotName = this.#name): number {
    let refused = 0
    for (const { at, chunk, removed } of changes) {
      for (const id of removed) this.#drop(id)
      this.#chunks[at] = chunk
    }
    for (const prepared of this.#prepared) {
      if ('key' in prepared) this.#use(prepared)
      else {
        this.#drop(prepared.rule_id)
        this.#refused.set(prepared.rule_id, prepared)
        refused++
      }
    }
    this.#prepared = []
    this.#name = { version, hash }
    return refused
  }

  /** Must have ended before the next rules are prepared. */
  async tidy(): Promise<void> {
    const replaced = this.#replaced
    this.#replaced = []
    for (const key of replaced) {
      if (performance.now() >= this.#turnEndsAt) await this.#nextTurn()
      this.#matcher.remove(key)
    }
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

  #prepare(line: PutLine): PreparedRule | Refusal {
    const { rule_id } = line
    const replacedKey = this.#keyOf(rule_id)
    // One and the other in turn: an id has no spaces.
    const key = replacedKey === rule_id ? `${rule_id} ` : rule_id
    try {
      const rule = readRule(line)
      this.#matcher.add({ id: key, conditions: rule.conditions })
      return { rule_id, key, replacedKey, rule: this.#liveRule(rule) }
    } catch (error) {
      return { rule_id, reason: messageOf(error) }
    }
  }

  #use({ rule_id, key, replacedKey, rule }: PreparedRule): void {
    this.#refused.delete(rule_id)
    if (replacedKey !== undefined) this.#retire(rule_id, replacedKey)
    this.#rules.set(key, rule)
    if (key !== rule_id) this.#otherKeys.set(rule_id, key)
  }

  #drop(ruleId: string): void {
    this.#refused.delete(ruleId)
    const key = this.#keyOf(ruleId)
    if (key !== undefined) this.#retire(ruleId, key)
  }

  #retire(ruleId: string, key: string): void {
    if (!this.#rules.delete(key)) return
    this.#otherKeys.delete(ruleId)
    this.#replaced.push(key)
  }

  /** Of the rule in use. */
  #keyOf(ruleId: string): string | undefined {
    return this.#rules.has(ruleId) ? ruleId : this.#otherKeys.get(ruleId)
  }

  async #nextTurn(): Promise<void> {
    await nextTurn()
    this.#turnEndsAt = performance.now() + turnMs
  }

  #liveRule({ rule_id, name, version, endpoint_ids, team_id, notify_resolved }: SnapshotRule): LiveRule {
    const team = this.#teams.get(team_id) ?? team_id
    this.#teams.set(team, team)
    return { team_id: team, notify_resolved, text: JSON.stringify({ rule_id, name, version, endpoint_ids }) }
  }
}
