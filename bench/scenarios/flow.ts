import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { latencyFigures } from '../../scripts/bench/percentile.ts'
import type { BenchContext, BenchResult } from '../../scripts/bench/scenario.ts'
import type { StackClient } from '../../scripts/cli/stack-client.ts'
import { makeTeams } from '../pipeline/subject.ts'
import { startSink } from '../webhook-sink.ts'

export const description = 'alerts over HTTP, one webhook each to a sink on this machine: a burst, then a steady rate'

const burstAlerts = 10_000
const batchAlerts = 250
const steadyAlertsPerS = 500
const steadyForS = 10

export async function run({ stack, note }: BenchContext): Promise<BenchResult> {
  await using sink = await startSink()
  const source = `bench-${randomBytes(4).toString('hex')}`
  await makeTeams(stack, source, 1, sink.url)
  await sendBatch(stack, source, 50)
  await sink.untilReceived(50)

  note(`burst of ${burstAlerts} in batches of ${batchAlerts}`)
  sink.reset()
  const startedAt = performance.now()
  for (let sent = 0; sent < burstAlerts; sent += batchAlerts) await sendBatch(stack, source, batchAlerts)
  const acceptedMs = performance.now() - startedAt
  await sink.untilReceived(burstAlerts)
  const burstMs = performance.now() - startedAt
  const burst = [...sink.latenciesMs.values()]

  note(`${steadyAlertsPerS} alerts a second, one a request, for ${steadyForS} s`)
  sink.reset()
  await sendSteadily(stack, source)
  await sink.untilReceived(steadyAlertsPerS * steadyForS)
  return {
    figures: {
      burst_accepted_alerts_per_s: (burstAlerts / acceptedMs) * 1_000,
      burst_alerts_per_s: (burstAlerts / burstMs) * 1_000,
      ...latencyFigures(burst, 'burst_'),
      ...latencyFigures([...sink.latenciesMs.values()], 'steady_'),
      repeated_webhooks: sink.repeated(),
    },
    notes: `from the request to the webhook's arrival; the steady rate is ${steadyAlertsPerS}/s`,
  }
}

const alertFrom = (source: string) => ({
  severity: 'HIGH',
  source,
  name: 'benchmark',
  context: {},
  event_ts: new Date().toISOString(),
})

async function sendBatch(stack: StackClient, source: string, count: number): Promise<void> {
  const alerts = Array.from({ length: count }, () => alertFrom(source))
  await stack.call('POST', `${stack.urls.alert_producer}/api/v1/alerts`, alerts)
}

/** Open loop: an alert is sent when its time has come, whether or not earlier ones are answered. */
async function sendSteadily(stack: StackClient, source: string): Promise<void> {
  const startedAt = performance.now()
  const requests: Promise<unknown>[] = []
  for (let sent = 0; sent < steadyAlertsPerS * steadyForS; ) {
    const due = Math.floor(((performance.now() - startedAt) / 1_000) * steadyAlertsPerS)
    for (; sent < Math.min(due, steadyAlertsPerS * steadyForS); sent++) {
      requests.push(stack.call('POST', `${stack.urls.alert_producer}/api/v1/alerts`, alertFrom(source)))
    }
    await sleep(2)
  }
  await Promise.all(requests)
}
