import { setTimeout as sleep } from 'node:timers/promises'
import type { SnapshotResource } from '@tocsin/contracts/http'
import { percentile } from '../../scripts/bench/percentile.ts'
import type { StackClient } from '../../scripts/cli/stack-client.ts'
import { rename } from './bursts.ts'
import { metricsOf } from './evaluators.ts'
import { startTraffic } from './traffic.ts'

const changesPerS = 50
/** For each time that the evaluators work off a backlog, twice without changes and twice with them. */
const backlog = 200_000
const patienceMs = 60_000
/** Of the backlog: before that they join their group anew, and after it some have nothing to do. */
const from = 0.1
const to = 0.8

interface Rate {
  readonly perS: number
  readonly perCpuS: number
}

/**
 * How fast a backlog of alerts is matched, with changes and without. `urls` are some of the evaluators, which together
 * have this share of the partitions.
 */
export async function compareMatching(
  stack: StackClient,
  evaluators: { urls: readonly string[]; share: number },
  ruleUrls: readonly string[],
  rules: number,
): Promise<Record<string, number>> {
  const quiet: Rate[] = []
  const changing: Rate[] = []
  // In turns, so that what else the machine does falls on both.
  for (const rates of [quiet, changing, changing, quiet]) {
    await pileUp(stack, rules)
    const over = new AbortController()
    const changes = rates === changing ? changeSteadily(stack, ruleUrls, over.signal) : undefined
    rates.push(await workOff(evaluators))
    over.abort()
    await changes
  }
  const middle = (rates: readonly Rate[], of: keyof Rate) => {
    const values = rates.map(rate => rate[of])
    return (percentile(values, 0) + percentile(values, 100)) / 2
  }
  const [perS, changingPerS] = [middle(quiet, 'perS'), middle(changing, 'perS')]
  return {
    matched_alerts_per_s: perS,
    matched_alerts_per_s_with_changes: changingPerS,
    matching_lost_to_changes_percent: 100 * (1 - changingPerS / perS),
    processor_time_per_alert_more_percent: 100 * (middle(quiet, 'perCpuS') / middle(changing, 'perCpuS') - 1),
  }
}

/** With the evaluators held, so that whoever sends does not compete with them for the machine. */
async function pileUp(stack: StackClient, rules: number): Promise<void> {
  const { evaluators } = await stack.call<SnapshotResource>('GET', `${stack.urls.rule_service}/api/v1/snapshot`)
  // An evaluator's name is that of its machine, its process and its start.
  const pids = evaluators.map(({ evaluator_id }) => Number(evaluator_id.split('-').at(-2)))
  const signal = (name: NodeJS.Signals) => {
    for (const pid of pids) process.kill(pid, name)
  }
  signal('SIGSTOP')
  try {
    await using traffic = await startTraffic(stack.urls.kafka_brokers, backlog, rules)
    while (traffic.sent < backlog) await sleep(20)
  } finally {
    signal('SIGCONT')
  }
}

async function workOff({ urls, share }: { urls: readonly string[]; share: number }): Promise<Rate> {
  const before = await totals(urls)
  const reached = async (part: number) => {
    const giveUpAt = performance.now() + patienceMs
    for (;;) {
      const now = await totals(urls)
      const done = now.alerts - before.alerts
      if (done >= part * share * backlog) return { ...now, at: performance.now() }
      if (performance.now() > giveUpAt) {
        throw new Error(`${done} of ${backlog} alerts were matched after ${patienceMs} ms: are there other evaluators?`)
      }
      await sleep(50)
    }
  }
  const [start, end] = [await reached(from), await reached(to)]
  const alerts = end.alerts - start.alerts
  return { perS: alerts / ((end.at - start.at) / 1_000), perCpuS: alerts / (end.cpuS - start.cpuS) }
}

async function totals(urls: readonly string[]): Promise<{ alerts: number; cpuS: number }> {
  const all = await Promise.all(urls.map(metricsOf))
  const sum = (name: string) => all.reduce((total, metrics) => total + metrics(name), 0)
  return { alerts: sum('tocsin_alerts_evaluated_total'), cpuS: sum('process_cpu_seconds_total') }
}

async function changeSteadily(stack: StackClient, ruleUrls: readonly string[], over: AbortSignal): Promise<void> {
  const changes: Promise<void>[] = []
  const startedAt = performance.now()
  while (!over.aborted) {
    const due = ((performance.now() - startedAt) / 1_000) * changesPerS
    while (changes.length < due) changes.push(rename(stack, ruleUrls[changes.length % ruleUrls.length]!))
    await sleep(5)
  }
  await Promise.all(changes)
}
