import { randomBytes } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { latencyFigures } from '../../scripts/bench/percentile.ts'
import type { BenchContext, BenchResult } from '../../scripts/bench/scenario.ts'
import type { StackClient } from '../../scripts/cli/stack-client.ts'

export const description = 'alerts over HTTP, one webhook each to a sink on this machine: a burst, then a steady rate'

const burstAlerts = 10_000
const batchAlerts = 250
const steadyAlertsPerS = 500
const steadyForS = 10

/** Long enough for a slow machine to work off the burst; what is not there then is lost, and said so. */
const drainWithinMs = 120_000

export async function run({ stack, note }: BenchContext): Promise<BenchResult> {
  await using sink = await startSink()
  const source = await createSubject(stack, sink.url)
  await sendBatch(stack, source, 50)
  await sink.untilReceived(50)

  note(`burst of ${burstAlerts} in batches of ${batchAlerts}`)
  sink.reset()
  const startedAt = performance.now()
  for (let sent = 0; sent < burstAlerts; sent += batchAlerts) await sendBatch(stack, source, batchAlerts)
  const acceptedMs = performance.now() - startedAt
  await sink.untilReceived(burstAlerts)
  const burstMs = performance.now() - startedAt
  const burst = sink.latenciesMs()

  note(`${steadyAlertsPerS} alerts a second, one a request, for ${steadyForS} s`)
  sink.reset()
  await sendSteadily(stack, source)
  await sink.untilReceived(steadyAlertsPerS * steadyForS)
  return {
    figures: {
      burst_accepted_alerts_per_s: (burstAlerts / acceptedMs) * 1_000,
      burst_alerts_per_s: (burstAlerts / burstMs) * 1_000,
      ...latencyFigures(burst, 'burst_'),
      ...latencyFigures(sink.latenciesMs(), 'steady_'),
      repeated_webhooks: sink.repeated(),
    },
    notes: `from the request to the webhook's arrival; the steady rate is ${steadyAlertsPerS}/s`,
  }
}

/** A team with one rule that matches the alerts of this run and no others. Returns the source that they carry. */
async function createSubject(stack: StackClient, url: string): Promise<string> {
  const source = `bench-${randomBytes(4).toString('hex')}`
  const teams = `${stack.urls.rule_service}/api/v1/teams`
  await stack.call('POST', teams, { team_id: source, name: 'Benchmark' })
  const webhook = { kind: 'webhook', name: 'sink', url }
  const endpoint = await stack.call<{ endpoint_id: string }>('POST', `${teams}/${source}/endpoints`, webhook)
  const conditions = { all: [{ fact: 'source', operator: 'equal', value: source }] }
  const rule = { name: 'all of this run', conditions, endpoints: [endpoint.endpoint_id] }
  const { rule_id } = await stack.call<{ rule_id: string }>('POST', `${teams}/${source}/rules`, rule)
  for (let live = ''; !isEverywhere(live); await sleep(50)) {
    live = (await stack.call<{ live: { evaluators: string } }>('GET', `${teams}/${source}/rules/${rule_id}`)).live
      .evaluators
  }
  return source
}

function isEverywhere(live: string): boolean {
  const [matching, running] = live.split('/').map(Number)
  return running !== undefined && running > 0 && matching === running
}

const alertFrom = (source: string) => ({
  severity: 'HIGH',
  source,
  name: 'benchmark',
  context: { sent_at_ms: Date.now() },
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

interface Sink extends AsyncDisposable {
  readonly url: string
  reset(): void
  untilReceived(count: number): Promise<void>
  latenciesMs(): number[]
  /** At least once is promised on the wire, so a few are no fault; they are counted to be seen. */
  repeated(): number
}

async function startSink(): Promise<Sink> {
  const latencies = new Map<string, number>()
  let repeated = 0
  const server = createServer(async (request, response) => {
    const body = Buffer.concat(await Array.fromAsync(request)).toString()
    response.writeHead(204).end()
    const { alert } = (JSON.parse(body) as { data: { alert: { alert_id: string; context: { sent_at_ms: number } } } })
      .data
    if (latencies.has(alert.alert_id)) repeated++
    else latencies.set(alert.alert_id, Date.now() - alert.context.sent_at_ms)
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    reset: () => latencies.clear(),
    latenciesMs: () => [...latencies.values()],
    repeated: () => repeated,
    async untilReceived(count) {
      const deadline = Date.now() + drainWithinMs
      while (latencies.size < count) {
        if (Date.now() > deadline) throw new Error(`${count - latencies.size} of ${count} webhooks did not arrive`)
        await sleep(5)
      }
    },
    async [Symbol.asyncDispose]() {
      const closed = new Promise(resolve => server.close(resolve))
      server.closeAllConnections()
      await closed
    },
  }
}
