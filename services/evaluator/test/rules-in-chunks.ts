import type { Alert } from '@tocsin/contracts/alert'
import type { SnapshotRule } from '@tocsin/contracts/snapshot'
import { chunkOf, hashOfChunk, lineOf, textOf } from '@tocsin/redis/snapshot-chunk'
import { vi } from 'vitest'
import { LiveRules } from '../src/live-rules.ts'

/** Each rule of `anyRule` matches it. */
export const anyAlert = {
  alert_id: 'a1',
  severity: 'HIGH',
  source: 'api',
  name: 'timeout',
  context: {},
  event_ts: '2026-03-01T12:00:00Z',
  status: 'firing',
} as const satisfies Alert

export function anyRule(rule_id: string, more: Partial<SnapshotRule> = {}): SnapshotRule {
  return {
    rule_id,
    team_id: 'payments',
    name: `name of ${rule_id}`,
    version: 1,
    endpoint_ids: [],
    conditions: { all: [{ fact: 'severity', operator: 'equal', value: 'HIGH' }] },
    notify_resolved: true,
    ...more,
  }
}

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
export async function liveRulesOf(lines: readonly Line[], { version = 1, chunkCount = 1 } = {}): Promise<LiveRules> {
  const rules = new LiveRules(chunkCount)
  const texts = textsOf(lines, chunkCount)
  await changeRules(rules, texts, version)
  return rules
}

/** To the snapshot with these chunks. Tells how many of the rules that are new cannot be used. */
export async function changeRules(rules: LiveRules, texts: readonly string[], version: number): Promise<number> {
  const changes = texts.map((text, at) => rules.changeTo(at, hashOfChunk(text), text))
  for (const change of changes) await rules.prepare(change)
  const refused = rules.take(changes, { version, hash: `hash of ${version}` })
  await rules.tidy()
  return refused
}

/** From here on the clock says of each rule that it took long, as if it were one of 64 KiB. */
export function eachTakesLong(): void {
  const start = performance.now()
  let calls = 0
  vi.spyOn(performance, 'now').mockImplementation(() => start + ++calls * 1_000)
}
