import { setTimeout as sleep } from 'node:timers/promises'
import type { RuleResource, SnapshotResource } from '@tocsin/contracts/http'
import { topics } from '@tocsin/contracts/topics'
import { readTopic } from '@tocsin/testkit/topic-reader'
import { latencyFigures, percentile } from '../../scripts/bench/percentile.ts'
import type { BenchContext, BenchResult } from '../../scripts/bench/scenario.ts'
import type { StackClient } from '../../scripts/cli/stack-client.ts'
import { type Evaluator, processorSeconds, startEvaluator } from '../propagation/evaluators.ts'
import { probe, type Scene, untilCurrent } from '../propagation/probes.ts'
import { seedRules } from '../propagation/rules.ts'
import { startTraffic } from '../propagation/traffic.ts'

export const description = 'from the answer to a rule change to the first alert matched with it, in three evaluators'

export const options = { rules: { type: 'string' }, probes: { type: 'string' } } as const
export const optionsHelp = `  --rules N    rules that are there before (100000)
  --probes N   changes that are timed one by one (100)
`

const alertsPerS = 5_000
/** Some ten seconds, in which Postgres is done with its rows of the rules, and the evaluators' code is compiled. */
const warmUpProbes = 30
const burstChanges = 1_000
const steadyChangesPerS = 50
const steadyForS = 10

export async function run({ stack, note, options: given }: BenchContext): Promise<BenchResult> {
  const rules = Number(given.rules ?? 100_000)
  const probes = Number(given.probes ?? 100)
  note(`${rules} rules are put into the database`)
  await using seeded = await seedRules(stack.urls.database_url, rules)
  const rebuildS = await rebuild(stack)
  note('two more evaluators')
  await using second = await startEvaluator(stack)
  await using third = await startEvaluator(stack)
  const rulesUrl = `${stack.urls.rule_service}/api/v1/teams/${seeded.team}/rules`
  await using matched = await readTopic(topics.alertsMatched, { brokers: stack.urls.kafka_brokers, from: 'latest' })
  await using traffic = await startTraffic(stack.urls.kafka_brokers, alertsPerS, rules)
  const scene: Scene = { stack, traffic, matched, rulesUrl }
  await untilCurrent(stack)
  for (let warmUp = 0; warmUp < warmUpProbes; warmUp++) await probe(scene, `warm-up-${warmUp}`)

  note(`${probes} changes one by one, while ${alertsPerS} alerts a second flow`)
  const latencies: number[] = []
  for (let index = 0; index < probes; index++) latencies.push(await probe(scene, `probe-${index}`))

  note(`${burstChanges} changes at once`)
  const burst = await changeAtOnce(stack, rulesUrl, seeded.ids.slice(0, burstChanges))

  note(`${steadyChangesPerS} changes a second for ${steadyForS} s`)
  const shareOfCore = await costOfChanges([second, third], () => changeSteadily(stack, rulesUrl, seeded.ids))
  const { bytes } = await untilCurrent(stack)
  return {
    figures: {
      ...latencyFigures(latencies, 'change_to_live_'),
      slowest_change_to_live_ms: percentile(latencies, 100),
      rebuild_s: rebuildS,
      cold_start_s: second.coldStartS,
      burst_changes_written_in_s: burst.writtenS,
      burst_last_change_to_live_s: burst.liveS,
      matching_lost_to_changes_percent: 100 * shareOfCore,
      redis_bytes_per_rule: (bytes ?? 0) / rules,
    },
    notes: `${rules} rules, ${alertsPerS} alerts a second; live: the slowest of ${traffic.lanes} partitions`,
  }
}

async function rebuild(stack: StackClient): Promise<number> {
  const url = `${stack.urls.rule_service}/api/v1/snapshot`
  const { wanted } = await stack.call<{ wanted: number }>('POST', `${url}/rebuild`)
  for (;;) {
    const { rebuilds, last_reconcile } = await stack.call<SnapshotResource>('GET', url)
    if (rebuilds.done >= wanted && last_reconcile !== null) return last_reconcile.seconds
    await sleep(50)
  }
}

/** How many requests are under way at once. */
const writers = 20

async function changeAtOnce(stack: StackClient, rulesUrl: string, ids: readonly string[]) {
  const startedAt = performance.now()
  const left = ids.values()
  const writer = async () => {
    for (const id of left) await rename(stack, `${rulesUrl}/${id}`)
  }
  await Promise.all(Array.from({ length: writers }, writer))
  const writtenAt = performance.now()
  await untilCurrent(stack)
  return { writtenS: (writtenAt - startedAt) / 1_000, liveS: (performance.now() - writtenAt) / 1_000 }
}

async function changeSteadily(stack: StackClient, rulesUrl: string, ids: readonly string[]): Promise<void> {
  const changes: Promise<void>[] = []
  const startedAt = performance.now()
  for (let made = 0; made < steadyChangesPerS * steadyForS; await sleep(5)) {
    const due = ((performance.now() - startedAt) / 1_000) * steadyChangesPerS
    for (; made < due; made++) changes.push(rename(stack, `${rulesUrl}/${ids[burstChanges + made]}`))
  }
  await Promise.all(changes)
}

async function rename(stack: StackClient, url: string): Promise<void> {
  await stack.call<RuleResource>('PATCH', url, { name: `renamed at ${Date.now()}` })
}

/**
 * The part of a core that the changes take from an evaluator, as the processor time that it needs beside what the same
 * alerts need without changes. That part is what a saturated evaluator would match less.
 */
async function costOfChanges(evaluators: readonly Evaluator[], change: () => Promise<void>): Promise<number> {
  const quiet = await usage(evaluators, () => sleep(steadyForS * 1_000))
  const changing = await usage(evaluators, change)
  return changing - quiet
}

/** Cores used by each evaluator, on average. */
async function usage(evaluators: readonly Evaluator[], during: () => Promise<unknown>): Promise<number> {
  const total = async () => {
    const each = await Promise.all(evaluators.map(({ url }) => processorSeconds(url)))
    return each.reduce((sum, seconds) => sum + seconds, 0)
  }
  const [startedAt, before] = [performance.now(), await total()]
  await during()
  return ((await total()) - before) / evaluators.length / ((performance.now() - startedAt) / 1_000)
}
