import { setTimeout as sleep } from 'node:timers/promises'
import type { RuleResource, SnapshotResource } from '@tocsin/contracts/http'
import type { TopicReader } from '@tocsin/testkit/topic-reader'
import type { StackClient } from '../../scripts/cli/stack-client.ts'
import type { Traffic } from './traffic.ts'

export interface Scene {
  readonly stack: StackClient
  readonly traffic: Traffic
  /** `alerts.matched` as it grows. */
  readonly matched: TopicReader
  /** Where rules of the run are written. */
  readonly rulesUrl: string
}

const patienceMs = 20_000
/** An answer costs rule-service, Postgres and Redis some ms: to ask without a pause would be a good part of the load. */
const pollMs = 50
const betweenProbesMs = 200

/**
 * Writes a rule, and then takes the time from the answer until each partition has an alert that was matched with it: all
 * evaluators, since each partition has one. Gives the slowest partition's milliseconds.
 */
export async function probe({ stack, traffic, matched, rulesUrl }: Scene, name: string): Promise<number> {
  traffic.probe = name
  const conditions = { all: [{ fact: 'context', path: '$.probe', operator: 'equal', value: name }] }
  const from = matched.records.length
  const { rule_id } = await stack.call<RuleResource>('POST', rulesUrl, { name, conditions })
  const answeredAt = Date.now()
  const firstByLane = new Map<number, number>()
  for (let at = from; firstByLane.size < traffic.lanes; await sleep(2)) {
    for (; at < matched.records.length; at++) note(firstByLane, matched.records[at]!.value, rule_id)
    if (Date.now() - answeredAt > patienceMs) {
      throw new Error(
        `rule ${name} is live on ${firstByLane.size} of ${traffic.lanes} partitions after ${patienceMs} ms`,
      )
    }
  }
  traffic.probe = undefined
  await sleep(betweenProbesMs)
  // A match may come before the answer to the write that caused it.
  return Math.max(0, Math.max(...firstByLane.values()) - answeredAt)
}

function note(firstByLane: Map<number, number>, record: string, ruleId: string): void {
  if (!record.includes(ruleId)) return
  const match = JSON.parse(record) as { alert: { context: { lane: number } }; matched_at: string }
  const at = Date.parse(match.matched_at)
  const { lane } = match.alert.context
  firstByLane.set(lane, Math.min(at, firstByLane.get(lane) ?? Number.POSITIVE_INFINITY))
}

/** Until no change waits for a snapshot, and every evaluator has the newest. */
export async function untilCurrent(stack: StackClient): Promise<SnapshotResource> {
  const deadline = Date.now() + 6 * patienceMs
  for (;;) {
    const snapshot = await stack.call<SnapshotResource>('GET', `${stack.urls.rule_service}/api/v1/snapshot`)
    const isBehind = snapshot.evaluators.length === 0 || snapshot.evaluators.some(one => one.lag.versions !== 0)
    if (snapshot.version !== null && snapshot.waiting_changes === 0 && !isBehind) return snapshot
    if (Date.now() > deadline) throw new Error(`the snapshot is not everywhere: ${JSON.stringify(snapshot)}`)
    await sleep(pollMs)
  }
}
