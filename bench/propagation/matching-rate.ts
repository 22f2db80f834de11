import { setTimeout as sleep } from 'node:timers/promises'
import { percentile } from '../../scripts/bench/percentile.ts'
import type { StackClient } from '../../scripts/cli/stack-client.ts'
import { rename } from './bursts.ts'
import { metricsOf } from './evaluators.ts'
import type { Traffic } from './traffic.ts'

const changesPerS = 50
const windowS = 5
const pairs = 4

export interface MatchingRate {
  /** Of these evaluators together: alerts a second, and alerts for each second of processor time that they used. */
  readonly figures: Readonly<Record<string, number>>
  /** More came than was matched: only then does the rate say what they can. */
  readonly hadBacklog: boolean
}

export interface Crowd {
  readonly stack: StackClient
  readonly traffic: Traffic
  readonly evaluatorUrls: readonly string[]
  /** Of all that match, these among them. */
  readonly evaluators: number
  readonly ruleUrls: readonly string[]
}

/** In turns, with changes and without, so that what else the machine does falls on both alike. */
export async function compareMatching(crowd: Crowd): Promise<MatchingRate> {
  const { stack, traffic, evaluatorUrls, evaluators, ruleUrls } = crowd
  const quiet: Window[] = []
  const changing: Window[] = []
  const [startedAt, sentBefore, before] = [performance.now(), traffic.sent, await totals(evaluatorUrls)]
  for (let pair = 0; pair < pairs; pair++) {
    quiet.push(await measured(evaluatorUrls, () => sleep(windowS * 1_000)))
    const some = ruleUrls.slice(pair * changesPerS * windowS, (pair + 1) * changesPerS * windowS)
    changing.push(await measured(evaluatorUrls, () => changeSteadily(stack, some)))
  }
  const matched = ((await totals(evaluatorUrls)).alerts - before.alerts) * (evaluators / evaluatorUrls.length)
  const seconds = (performance.now() - startedAt) / 1_000
  const [perS, changingPerS] = [median(quiet, 'perS'), median(changing, 'perS')]
  const [perCpuS, changingPerCpuS] = [median(quiet, 'perCpuS'), median(changing, 'perCpuS')]
  return {
    figures: {
      offered_alerts_per_s: (traffic.sent - sentBefore) / seconds,
      matched_alerts_per_s: perS,
      matched_alerts_per_s_with_changes: changingPerS,
      matching_lost_to_changes_percent: 100 * (1 - changingPerS / perS),
      processor_time_per_alert_more_percent: 100 * (perCpuS / changingPerCpuS - 1),
    },
    hadBacklog: traffic.sent - sentBefore > 1.2 * matched,
  }
}

const median = (windows: readonly Window[], of: keyof Window) => {
  const values = windows.map(window => window[of])
  return percentile(values, 50)
}

interface Window {
  readonly perS: number
  readonly perCpuS: number
}

async function measured(urls: readonly string[], during: () => Promise<unknown>): Promise<Window> {
  const [startedAt, before] = [performance.now(), await totals(urls)]
  await during()
  const seconds = (performance.now() - startedAt) / 1_000
  const after = await totals(urls)
  const alerts = after.alerts - before.alerts
  return { perS: alerts / seconds, perCpuS: alerts / (after.cpuS - before.cpuS) }
}

async function totals(urls: readonly string[]): Promise<{ alerts: number; cpuS: number }> {
  const all = await Promise.all(urls.map(metricsOf))
  const sum = (name: string) => all.reduce((total, metrics) => total + metrics(name), 0)
  return { alerts: sum('tocsin_alerts_evaluated_total'), cpuS: sum('process_cpu_seconds_total') }
}

async function changeSteadily(stack: StackClient, ruleUrls: readonly string[]): Promise<void> {
  const changes: Promise<void>[] = []
  const startedAt = performance.now()
  while (changes.length < ruleUrls.length) {
    const due = ((performance.now() - startedAt) / 1_000) * changesPerS
    for (; changes.length < Math.min(due, ruleUrls.length); ) changes.push(rename(stack, ruleUrls[changes.length]!))
    await sleep(5)
  }
  await Promise.all(changes)
}
