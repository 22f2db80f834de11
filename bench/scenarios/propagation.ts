import { setTimeout as sleep } from 'node:timers/promises'
import type { SnapshotResource } from '@tocsin/contracts/http'
import { topics } from '@tocsin/contracts/topics'
import { readTopic, type TopicReader } from '@tocsin/testkit/topic-reader'
import { latencyFigures, percentile } from '../../scripts/bench/percentile.ts'
import type { BenchContext, BenchResult } from '../../scripts/bench/scenario.ts'
import type { StackClient } from '../../scripts/cli/stack-client.ts'
import { changeInBulk, changeOverRest } from '../propagation/bursts.ts'
import { startEvaluator } from '../propagation/evaluators.ts'
import { compareMatching } from '../propagation/matching-rate.ts'
import { probe, type Scene, untilCurrent } from '../propagation/probes.ts'
import { snapshotBytes } from '../propagation/redis-memory.ts'
import { type SeededRules, seedRules } from '../propagation/rules.ts'
import { killLeader } from '../propagation/takeover.ts'
import { startTraffic, type Traffic } from '../propagation/traffic.ts'

export const description = 'from the answer to a rule change to the first alert matched with it, in three evaluators'

export const options = { rules: { type: 'string' }, probes: { type: 'string' } } as const
export const optionsHelp = `  --rules N    rules that are there before (100000)
  --probes N   changes that are timed one by one (100)
`

const alertsPerS = 5_000
/** Some ten seconds, in which Postgres is done with its rows of the rules, and the evaluators' code is compiled. */
const warmUpProbes = 30
const burstChanges = 1_000

export async function run({ stack, note, options: given }: BenchContext): Promise<BenchResult> {
  const rules = Number(given.rules ?? 100_000)
  const probes = Number(given.probes ?? 100)
  note(`${rules} rules are put into the database`)
  await using seeded = await seedRules(stack.urls.database_url, rules)
  await rebuild(stack)
  const figures: Record<string, number> = { rebuild_s: await rebuild(stack) }
  figures.redis_bytes_per_rule = (await snapshotBytes(stack.urls.redis_url)) / rules
  note('two more evaluators')
  await using second = await startEvaluator(stack)
  await using third = await startEvaluator(stack)
  figures.cold_start_s = Math.max(second.coldStartS, third.coldStartS)

  const rulesUrl = `${stack.urls.rule_service}/api/v1/teams/${seeded.team}/rules`
  const ruleUrls = seeded.ids.map(id => `${rulesUrl}/${id}`)
  const lanes = await whileAlertsFlow(stack, alertsPerS, rules, async scene => {
    note(`${probes} changes one by one, while ${alertsPerS} alerts a second flow`)
    Object.assign(figures, await changesOneByOne({ stack, ...scene, rulesUrl }, probes))
    note(`${burstChanges} changes at once, over REST and then within a second`)
    Object.assign(figures, await changesAtOnce(stack, seeded, ruleUrls))
    note('the leader is killed')
    const { publishedS, liveS } = await killLeader(stack)
    Object.assign(figures, { takeover_published_s: publishedS, takeover_live_s: liveS })
    return scene.traffic.lanes
  })
  note('a backlog of alerts is matched, in turns with and without 50 changes a second')
  const evaluators = { urls: [second.url, third.url], share: 2 / 3 }
  Object.assign(figures, await compareMatching(stack, evaluators, ruleUrls, rules))
  return { figures, notes: `${rules} rules, ${alertsPerS} alerts a second; live: the slowest of ${lanes} partitions` }
}

async function whileAlertsFlow<T>(
  { urls }: StackClient,
  alertsPerS: number,
  rules: number,
  work: (flow: { traffic: Traffic; matched: TopicReader }) => Promise<T>,
): Promise<T> {
  await using matched = await readTopic(topics.alertsMatched, { brokers: urls.kafka_brokers, from: 'latest' })
  await using traffic = await startTraffic(urls.kafka_brokers, alertsPerS, rules)
  return await work({ traffic, matched })
}

async function changesOneByOne(scene: Scene, probes: number): Promise<Record<string, number>> {
  await untilCurrent(scene.stack)
  for (let warmUp = 0; warmUp < warmUpProbes; warmUp++) await probe(scene, `warm-up-${warmUp}`)
  const latencies: number[] = []
  for (let index = 0; index < probes; index++) latencies.push(await probe(scene, `probe-${index}`))
  const slowest = { slowest_change_to_live_ms: percentile(latencies, 100) }
  return { ...latencyFigures(latencies, 'change_to_live_'), ...slowest }
}

async function changesAtOnce(stack: StackClient, seeded: SeededRules, ruleUrls: readonly string[]) {
  const rest = await changeOverRest(stack, ruleUrls.slice(0, burstChanges))
  const bulk = await changeInBulk(stack, seeded.database, seeded.ids.slice(burstChanges, 2 * burstChanges))
  return {
    rest_burst_written_s: rest.writtenS,
    rest_burst_live_s: rest.liveS,
    burst_written_s: bulk.writtenS,
    burst_live_s: bulk.liveS,
  }
}

/** From the request until the rebuilt snapshot is published. */
async function rebuild(stack: StackClient): Promise<number> {
  const url = `${stack.urls.rule_service}/api/v1/snapshot`
  const startedAt = performance.now()
  const { wanted } = await stack.call<{ wanted: number }>('POST', `${url}/rebuild`)
  while ((await stack.call<SnapshotResource>('GET', url)).rebuilds.done < wanted) await sleep(20)
  return (performance.now() - startedAt) / 1_000
}
