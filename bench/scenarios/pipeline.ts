import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { topics } from '@tocsin/contracts/topics'
import type { BenchContext, BenchResult, BenchRow } from '../../scripts/bench/scenario.ts'
import type { StackClient } from '../../scripts/cli/stack-client.ts'
import type { StackDetails } from '../../scripts/supervisor/stack-status.ts'
import { openProducer } from '../bench-kafka.ts'
import { whatIsWrong } from '../pipeline/notifications-made.ts'
import { cpuBetween, type StackUsage, stackUsage } from '../pipeline/stack-usage.ts'
import { alertText, makeTeams } from '../pipeline/subject.ts'

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
  readonly usage: StackUsage
}

export async function run({ stack, inspect, note, options: given }: BenchContext): Promise<BenchResult> {
  const alerts = Number(given.alerts ?? 300_000)
  const source = `bench-${randomBytes(4).toString('hex')}`
  await makeTeams(stack, source, teams)
  const details = await inspect()
  note(`${alerts} alerts are put into Kafka, with the evaluator held`)
  await pileUp(stack, details, source, alerts)
  note(`${teams * alerts} notifications are made`)
  const looks = await untilHandedOver(details, teams * alerts)
  const begun = looks.find(look => look.handedOver >= looks[0]!.handedOver + from * teams * alerts)!
  const end = looks.at(-1)!
  const failure = await whatIsWrong(stack.urls.database_url, source, { alerts, teams })
  const perS = ((1 - from) * alerts) / ((end.atMs - begun.atMs) / 1_000)
  return {
    figures: {
      ready_alerts_per_s: perS,
      ready_rows_per_s: perS * teams,
      from_first_to_last_s: (end.atMs - looks[0]!.atMs) / 1_000,
    },
    rows: usageRows(looks, begun, end, ((1 - from) * alerts) / 1_000),
    notes: `${alerts} alerts, ${teams} teams each; the sender takes up the notifications meanwhile, and has nobody to tell`,
    ...(failure !== undefined && { failure }),
  }
}

/** The evaluator is held, so that all is there before the first alert is matched. */
async function pileUp(stack: StackClient, { status }: StackDetails, source: string, count: number): Promise<void> {
  const { kafka, producer } = openProducer(stack.urls.kafka_brokers)
  const topic = kafka.topic(topics.alertsNew)
  const pid = status.services.evaluator.pid!
  process.kill(pid, 'SIGSTOP')
  try {
    for (let sent = 0; sent < count; sent += sendAtOnce) {
      const numbers = Array.from({ length: Math.min(sendAtOnce, count - sent) }, (_, index) => sent + index)
      await producer.send(
        numbers.map(number => {
          const alertId = `${source}-${number}`
          return { topic, key: alertId, value: alertText(source, alertId, number, Date.now()) }
        }),
      )
    }
  } finally {
    process.kill(pid, 'SIGCONT')
    await producer.close()
  }
}

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

async function look(details: StackDetails): Promise<Look> {
  const response = await fetch(`${details.status.services.aggregator.url}/status`)
  const { handed_over } = (await response.json()) as { handed_over: Record<string, number> }
  const handedOver = Object.values(handed_over).reduce((sum, count) => sum + count, 0)
  return { atMs: performance.now(), handedOver, usage: stackUsage(details) }
}

function usageRows(looks: readonly Look[], begun: Look, end: Look, thousands: number): BenchRow[] {
  return cpuBetween(begun.usage, end.usage).map(([name, cpuS]) => ({
    process: name,
    cpu_s_per_1000_alerts: cpuS / thousands,
    max_rss_mb: Math.max(...looks.map(({ usage }) => usage?.[name]?.rssBytes ?? 0)) / 1_000_000,
  }))
}
