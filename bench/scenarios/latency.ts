import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { topics } from '@tocsin/contracts/topics'
import { readTopic } from '@tocsin/testkit/topic-reader'
import { percentile } from '../../scripts/bench/percentile.ts'
import type { BenchContext, BenchResult, BenchRow } from '../../scripts/bench/scenario.ts'
import { UsageError } from '../../scripts/cli/command.ts'
import type { StackClient } from '../../scripts/cli/stack-client.ts'
import { openProducer } from '../bench-kafka.ts'
import { type Arrivals, arrivalsOf } from '../latency/arrivals.ts'
import { type SentAlerts, sendOpenLoop } from '../latency/open-loop.ts'
import { whatIsWrong } from '../pipeline/notifications-made.ts'
import { cpuBetween, stackUsage } from '../pipeline/stack-usage.ts'
import { alertText, makeTeams } from '../pipeline/subject.ts'
import { type Sink, startSink } from '../webhook-sink.ts'

export const description =
  'from the time of an event to notifications.ready and to a webhook, in open loop at given rates'

export const options = {
  rates: { type: 'string' },
  seconds: { type: 'string' },
  'no-webhook': { type: 'boolean' },
} as const
export const optionsHelp = `  --rates LIST   alerts a second, one rate after the other (500,2000)
  --seconds N    how long each rate is measured, after five seconds that are not (20)
  --no-webhook   nobody is told: up to notifications.ready alone
`

const teams = 3
/** Code is compiled, connections are made, and whatever the start of the flow stirs up has settled. */
const warmUpS = 5
const giveUpAfterMs = 120_000

/** All that a run at one rate needs. */
interface Scene {
  readonly stack: StackClient
  readonly source: string
  /** Undefined when nobody is told. */
  readonly sink: Sink | undefined
}

interface Run extends SentAlerts {
  readonly alertsPerS: number
  /** Of the alerts that count, by id: when they were meant to be sent. */
  readonly eventAtMs: ReadonlyMap<string, number>
  readonly matched: Arrivals
  readonly ready: Arrivals
  readonly webhookMs: number[] | undefined
}

export async function run({ stack, inspect, note, options: given }: BenchContext): Promise<BenchResult> {
  const rates = String(given.rates ?? '500,2000')
    .split(',')
    .map(Number)
  const seconds = Number(given.seconds ?? 20)
  if (![...rates, seconds].every(number => number > 0))
    throw new UsageError('--rates and --seconds are numbers above 0')
  await using sink = given['no-webhook'] ? undefined : await startSink()
  const source = `bench-${randomBytes(4).toString('hex')}`
  await makeTeams(stack, source, teams, sink?.url)
  const rows: BenchRow[] = []
  const figures: Record<string, number> = {}
  const wrong: string[] = []
  for (const alertsPerS of rates) {
    note(`${alertsPerS} alerts a second for ${warmUpS} s and then ${seconds} s`)
    const before = stackUsage(await inspect(), { bench: process.pid })
    const result = await runAt({ stack, source, sink }, alertsPerS, seconds)
    const used = cpuBetween(before, stackUsage(await inspect(), { bench: process.pid }))
    const thousands = (alertsPerS * (warmUpS + seconds)) / 1_000
    for (const [name, cpuS] of used) figures[`at_${alertsPerS}_cpu_s_per_1000_alerts_${name}`] = cpuS / thousands
    rows.push(...rowsOf(result))
    for (const [topic, { wrong: text }] of [
      ['alerts.matched', result.matched],
      ['notifications.ready', result.ready],
    ] as const) {
      if (text !== undefined) wrong.push(`${alertsPerS}/s, ${topic}: ${text}`)
    }
    const untold = result.webhookMs ? result.eventAtMs.size - result.webhookMs.length : 0
    if (untold > 0) wrong.push(`${alertsPerS}/s: ${untold} webhooks had not come after ${giveUpAfterMs / 1_000} s`)
  }
  if (sink && sink.repeated() > 0) wrong.push(`${sink.repeated()} webhooks came more than once`)
  const alerts = rates.reduce((sum, rate) => sum + Math.floor(rate * (warmUpS + seconds)), 0)
  const missing = await whatIsWrong(stack.urls.database_url, source, { alerts, teams })
  if (missing !== undefined) wrong.push(missing)
  const notes = `ms from the time that an alert was meant to be sent at; ${teams} teams each, ${sink ? 'one of which has a webhook' : 'none with a webhook'}`
  return { figures, rows, notes, ...(wrong.length > 0 && { failure: wrong.join('; ') }) }
}

async function runAt({ stack, source, sink }: Scene, alertsPerS: number, seconds: number): Promise<Run> {
  const { kafka, producer } = openProducer(stack.urls.kafka_brokers)
  const topic = kafka.topic(topics.alertsNew)
  const reading = { brokers: stack.urls.kafka_brokers, from: 'latest' } as const
  await using matched = await readTopic(kafka.topic(topics.alertsMatched), reading)
  await using ready = await readTopic(kafka.topic(topics.notificationsReady), reading)
  const [alerts, warmUps] = [seconds + warmUpS, warmUpS].map(s => Math.floor(alertsPerS * s)) as [number, number]
  const eventAtMs = new Map<string, number>()
  sink?.reset()
  const sent = await sendOpenLoop(producer, {
    alertsPerS,
    alerts,
    message(number, intendedAtMs) {
      const alertId = `${source}-${alertsPerS}-${number}`
      if (number >= warmUps) eventAtMs.set(alertId, intendedAtMs)
      return { topic, key: alertId, value: alertText(source, alertId, number, intendedAtMs) }
    },
  })
  await producer.close()
  await untilThere(() => ready.records.length >= teams * alerts)
  await untilThere(() => sink === undefined || sink.latenciesMs.size >= alerts)
  return {
    alertsPerS,
    eventAtMs,
    sentMs: sent.sentMs.slice(warmUps),
    acceptedMs: sent.acceptedMs.slice(warmUps),
    matched: arrivalsOf(matched, eventAtMs, 1),
    ready: arrivalsOf(ready, eventAtMs, teams),
    webhookMs: sink && [...eventAtMs.keys()].flatMap(alertId => sink.latenciesMs.get(alertId) ?? []),
  }
}

/** Or until so long has passed that the rate is too much for the machine: what is missing is then told with what came. */
async function untilThere(isThere: () => boolean): Promise<void> {
  const giveUpAt = performance.now() + giveUpAfterMs
  while (!isThere() && performance.now() < giveUpAt) await sleep(20)
}

function rowsOf({ alertsPerS, sentMs, acceptedMs, matched, ready, webhookMs }: Run): BenchRow[] {
  const points = {
    sent: sentMs,
    'in alerts.new': acceptedMs,
    'to alerts.matched': matched.publishedMs,
    'to notifications.ready': ready.publishedMs,
    'ready, read': ready.readMs,
    ...(webhookMs && { 'webhook received': webhookMs }),
  }
  return Object.entries(points).map(([until, valuesMs]) => ({
    alerts_per_s: alertsPerS,
    until,
    p50_ms: percentile(valuesMs, 50),
    p95_ms: percentile(valuesMs, 95),
    p99_ms: percentile(valuesMs, 99),
    max_ms: percentile(valuesMs, 100),
  }))
}
