import type { SnapshotRule } from '@tocsin/contracts/snapshot'
import { chunkOf, hashOfChunk, lineOf, textOf } from '@tocsin/redis/snapshot-chunk'
import { LiveRules } from '../src/live-rules.ts'

/** A rule's id, and what stands in its line: mostly the rule as JSON. */
export type Line = readonly [ruleId: string, json: string]

export const linesOfRules = (rules: readonly SnapshotRule[]): Line[] =>
  rules.map(rule => [rule.rule_id, JSON.stringify(rule)])

/** The texts of the chunks of a snapshot, as the rule-updater puts them together. */
export function textsOf(lines: readonly Line[], chunkCount: number): string[] {
  const chunks = Array.from({ length: chunkCount }, (): string[] => [])
  for (const [ruleId, json] of lines) chunks[chunkOf(ruleId, chunkCount)]!.push(lineOf(ruleId, json))
  return chunks.map(chunk => textOf(chunk.sort()))
}

/** Made afresh, of one snapshot and nothing before. */
export function liveRulesOf(lines: readonly Line[], { version = 1, chunkCount = 1 } = {}): LiveRules {
  const rules = new LiveRules(chunkCount)
  const changes = textsOf(lines, chunkCount).map((text, at) => rules.changeTo(at, hashOfChunk(text), text))
  rules.apply(changes, { version, hash: `hash of ${version}` })
  return rules
}
