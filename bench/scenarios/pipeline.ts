import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { topics } from '@tocsin/contracts/topics'
import { createKafka } from '@tocsin/kafka/client'
import { createProducer } from '@tocsin/kafka/producer'
import { kafkaSettings } from '@tocsin/kafka/settings'
import { parseSettings } from '@tocsin/runtime/config'
import { createLogger } from '@tocsin/runtime/logger'
import { openDatabase } from '@tocsin/testkit/private-database'
import { type Usage, usageOf } from '../../scripts/bench/process-usage.ts'
import type { BenchContext, BenchResult, BenchRow } from '../../scripts/bench/scenario.ts'
import type { StackClient } from '../../scripts/cli/stack-client.ts'
import type { StackDetails } from '../../scripts/supervisor/stack-status.ts'
import { untilCurrent } from '../propagation/probes.ts'

export const description = 'a backlog of alerts, each of which three teams have a rule for, up to notifications.ready'

export const options = { alerts: { type: 'string' } } as const
export const optionsHelp = '  --alerts N   of the backlog (300000)\n'

const teams = 3
const sendAtOnce = 2_000
const lookEveryMs = 200
const giveUpAfterMs = 600_000
/** Of the notifications: before that, services that were held join their groups anew. */
const from = 0.1

/** What is there when the clock says so. */
interface Look {
  readonly atMs: number
  readonly handedOver: number
  readonly usage: Record<string, Usage> | undefined
}

export async function run({ stack, inspect, note, options: given }: BenchContext): Promise<BenchResult> {
  const alerts = Number(given.alerts ?? 300_000)
  const source = `bench-${randomBytes(4).toString('hex')}`
  await makeTeams(stack, source)
  const details = await inspect()
  note(`${alerts} alerts are put into Kafka, with the evaluator held`)
  await pileUp(stack, details, source, alerts)
  note(`${teams * alerts} notifications are made`)
  const looks = await untilHandedOver(details, teams * alerts)
  const begun = looks.find(look => look.handedOver >= looks[0]!.handedOver + from * teams * alerts)!
  const end = looks.at(-1)!
  const perS = ((1 - from) * alerts) / ((end.atMs - begun.atMs) / 1_000)
  return {
    figures: {
      ready_alerts_per_s: perS,
      ready_rows_per_s: perS * teams,
      from_first_to_last_s: (end.atMs - looks[0]!.atMs) / 1_000,
    },
    rows: usageRows(looks, begun, end, ((1 - from) * alerts) / 1_000),
    notes: `${alerts} alerts, ${teams} teams each; the sender takes up the notifications meanwhile, and has nobody to tell`,
    ...(await whatIsWrong(stack, source, alerts)),
  }
}

async function makeTeams(stack: StackClient, source: string): Promise<void> {
  for (let team = 1; team <= teams; team++) {
    const url = `${stack.urls.rule_service}/api/v1/teams`
    await stack.call('POST', url, { team_id: `${source}-${team}`, name: 'Benchmark' })
    const conditions = { all: [{ fact: 'source', operator: 'equal', value: source }] }
    await stack.call('POST', `${url}/${source}-${team}/rules`, { name: 'all of this run', conditions, endpoints: [] })
  }
  await untilCurrent(stack)
}

/** The evaluator is held, so that all is there before the first alert is matched. */
async function pileUp(stack: StackClient, { status }: StackDetails, source: string, count: number): Promise<void> {
  const parsed = parseSettings(kafkaSettings, { KAFKA_BROKERS: stack.urls.kafka_brokers })
  if ('problems' in parsed) throw new Error(JSON.stringify(parsed.problems))
  const kafka = createKafka(parsed.settings, { clientId: 'tocsin-bench', log: createLogger('bench', 'silent') })
  const producer = createProducer(kafka)
  const topic = kafka.topic(topics.alertsNew)
  const pid = status.services.evaluator.pid!
  process.kill(pid, 'SIGSTOP')
  try {
    for (let sent = 0; sent < count; sent += sendAtOnce) {
      const numbers = Array.from({ length: Math.min(sendAtOnce, count - sent) }, (_, index) => sent + index)
      await producer.send(
        numbers.map(number => ({ topic, key: `${source}-${number}`, value: alertText(source, number) })),
      )
    }
  } finally {
    process.kill(pid, 'SIGCONT')
    await producer.close()
  }
}

/** Some 330 bytes. */
const alertText = (source: string, number: number): string =>
  JSON.stringify({
    alert_id: `${source}-${number}`,
    severity: 'HIGH',
    source,
    name: 'request latency above its limit',
    context: {
      service: `checkout-${number % 50}`,
      region: 'eu-central-1',
      host: `10.1.${number % 256}.${number % 251}`,
      latency_ms: 1_200 + (number % 700),
      limit_ms: 1_000,
      tags: ['payments', 'slo', 'p99'],
    },
    event_ts: new Date().toISOString(),
  })

async function untilHandedOver(details: StackDetails, count: number): Promise<Look[]> {
  const giveUpAt = performance.now() + giveUpAfterMs
  const looks = [await look(details)]
  for (;;) {
    const now = await look(details)
    looks.push(now)
    if (now.handedOver >= looks[0]!.handedOver + count) return looks
    if (performance.now() > giveUpAt) throw new Error(`${now.handedOver} of ${count} were handed over in time`)
    await sleep(lookEveryMs)
  }
}

async function look({ status, servers }: StackDetails): Promise<Look> {
  const response = await fetch(`${status.services.aggregator.url}/status`)
  const { handed_over } = (await response.json()) as { handed_over: Record<string, number> }
  const pids = [...Object.entries(status.services), ...servers].flatMap(([name, { pid }]) =>
    pid === null ? [] : [[name, pid]],
  )
  const handedOver = Object.values(handed_over).reduce((sum, count) => sum + count, 0)
  return { atMs: performance.now(), handedOver, usage: usageOf(Object.fromEntries(pids)) }
}

/** Nothing where the system does not tell. A server in a container has no process of ours. */
function usageRows(looks: readonly Look[], begun: Look, end: Look, thousands: number): BenchRow[] {
  const rows = Object.keys(end.usage ?? {}).map(name => ({
    process: name,
    cpu_s_per_1000_alerts: (end.usage![name]!.cpuS - (begun.usage![name]?.cpuS ?? 0)) / thousands,
    max_rss_mb: Math.max(...looks.map(({ usage }) => usage![name]?.rssBytes ?? 0)) / 1_000_000,
  }))
  return rows.toSorted((a, b) => b.cpu_s_per_1000_alerts - a.cpu_s_per_1000_alerts)
}

/** A figure for notifications that are missing, or there twice, would mean nothing. */
async function whatIsWrong(stack: StackClient, source: string, alerts: number): Promise<{ failure?: string }> {
  const database = openDatabase(stack.urls.database_url)
  try {
    const { rows } = await database.query<{ made: number; alerts: number; pending: number }>(
      `SELECT count(*) AS made, count(DISTINCT alert_id) AS alerts, count(h.handover_id) AS pending
         FROM notifications LEFT JOIN handovers h USING (handover_id) WHERE team_id LIKE $1 || '-%'`,
      [source],
    )
    const [{ made, alerts: distinct, pending }] = rows as [(typeof rows)[0] & object]
    if (made === teams * alerts && distinct === alerts && pending === 0) return {}
    return { failure: `${made} notifications of ${distinct} alerts, ${pending} of them pending` }
  } finally {
    await database.close()
  }
}
