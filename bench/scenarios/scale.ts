import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { topics } from '@tocsin/contracts/topics'
import type { ServiceProcess } from '@tocsin/testkit/service-process'
import type { BenchContext, BenchResult, BenchRow } from '../../scripts/bench/scenario.ts'
import { UsageError } from '../../scripts/cli/command.ts'
import type { StackClient } from '../../scripts/cli/stack-client.ts'
import { openProducer } from '../bench-kafka.ts'
import { sendOpenLoop } from '../latency/open-loop.ts'
import { alertText, makeTeams } from '../pipeline/subject.ts'
import { Lanes } from '../scale/lanes.ts'
import { laneOf, type Scalable, scalable, startMember } from '../scale/members.ts'
import { openOutlet } from '../scale/outlet.ts'

export const description =
  'members of a service join, leave and are killed while alerts flow: how long partitions stand still'

export const options = {
  services: { type: 'string' },
  members: { type: 'string' },
  rate: { type: 'string' },
} as const
export const optionsHelp = `  --services LIST   one after the other (evaluator,aggregator,sender)
  --members N       to which each grows, that of the stack included (9)
  --rate N          alerts a second (200)
`

/** Between two steps, so that what one has stirred up is not told of the next. */
const calmMs = 2_000
const giveUpAfterMs = 120_000
/** How many are left when one is killed. */
const killAt = 3

interface Scene {
  readonly service: Scalable
  readonly stack: StackClient
  readonly lanes: Lanes
  readonly rows: BenchRow[]
  readonly note: (text: string) => void
}

export async function run({ stack, note, options: given }: BenchContext): Promise<BenchResult> {
  const services = String(given.services ?? scalable.join()).split(',') as Scalable[]
  const [members, rate] = [Number(given.members ?? 9), Number(given.rate ?? 200)]
  if (!services.every(service => scalable.includes(service))) throw new UsageError(`--services: of ${scalable.join()}`)
  if (!(members >= killAt && rate > 0)) throw new UsageError(`--members is ${killAt} or more, --rate is above 0`)
  const rows: BenchRow[] = []
  const wrong: string[] = []
  for (const service of services) {
    const { failure } = await whileAlertsFlow(stack, service, rate, lanes =>
      growAndShrink({ service, stack, lanes, rows, note }, members),
    )
    if (failure !== undefined) wrong.push(`${service}: ${failure}`)
  }
  const notes = `of the slowest of nine partitions, seen by who reads what the service makes of ${rate} alerts a second`
  return { figures: figuresOf(rows), rows, notes, ...(wrong.length > 0 && { failure: wrong.join('; ') }) }
}

async function whileAlertsFlow(
  stack: StackClient,
  service: Scalable,
  alertsPerS: number,
  work: (lanes: Lanes) => Promise<void>,
): Promise<{ failure: string | undefined }> {
  const lanes = new Lanes()
  const sentAtMs = new Map<string, number>()
  const source = `bench-${randomBytes(4).toString('hex')}`
  const team = `${source}-1`
  const missing = new Set<string>()
  await using outlet = await openOutlet(service, stack, alertId => {
    const sentAt = sentAtMs.get(alertId)
    if (sentAt === undefined) return
    lanes.arrived(laneOf(service, team, alertId), sentAt)
    missing.delete(alertId)
  })
  await makeTeams(stack, source, 1, outlet.webhook)
  const { kafka, producer } = openProducer(stack.urls.kafka_brokers)
  const topic = kafka.topic(topics.alertsNew)
  const over = new AbortController()
  const sent = sendOpenLoop(producer, {
    alertsPerS,
    alerts: Number.POSITIVE_INFINITY,
    stopping: over.signal,
    message(number, intendedAtMs) {
      const alertId = `${source}-${number}`
      sentAtMs.set(alertId, Date.now())
      missing.add(alertId)
      return { topic, key: alertId, value: alertText(source, alertId, number, intendedAtMs) }
    },
  })
  try {
    await work(lanes)
  } finally {
    over.abort()
    await sent
    await producer.close()
  }
  const giveUpAt = Date.now() + giveUpAfterMs
  while (missing.size > 0 && Date.now() < giveUpAt) await sleep(50)
  return { failure: missing.size > 0 ? `${missing.size} of ${sentAtMs.size} alerts did not come out` : undefined }
}

async function growAndShrink(scene: Scene, members: number): Promise<void> {
  const { service, stack } = scene
  const others: ServiceProcess[] = []
  try {
    await scene.lanes.untilAllMove(Date.now())
    await step(scene, 'nothing', 1, () => sleep(5_000))
    while (others.length < members - 1) {
      await step(scene, 'join', others.length + 2, async () => void others.push(await startMember(service, stack)))
    }
    await step(scene, 'nothing', members, () => sleep(5_000))
    while (others.length > 0) {
      const isKilled = others.length + 1 === killAt
      const [what, signal] = isKilled ? (['kill -9', 'SIGKILL'] as const) : (['leave', 'SIGTERM'] as const)
      await step(scene, what, others.length, () => others.pop()!.end(signal))
    }
  } finally {
    await Promise.all(others.map(member => member.end('SIGTERM')))
  }
}

/** Whatever it is that is done, it is over when each partition has let through what was sent after it. */
async function step(scene: Scene, what: string, members: number, act: () => Promise<unknown>): Promise<void> {
  const { service, lanes, rows, note } = scene
  await sleep(calmMs)
  const startedAt = Date.now()
  await act()
  await lanes.untilAllMove(Date.now())
  const untilAllMoveMs = Date.now() - startedAt
  await sleep(calmMs)
  const longestPauseS = lanes.longestPauseMs(startedAt) / 1_000
  note(`${service}: ${what}, ${members} now, longest pause ${longestPauseS} s`)
  rows.push({
    service,
    step: what,
    members_then: members,
    longest_pause_s: longestPauseS,
    until_all_move_s: untilAllMoveMs / 1_000,
  })
}

function figuresOf(rows: readonly BenchRow[]): Record<string, number> {
  const kinds = Map.groupBy(rows, ({ service, step }) => `${service}_${step}`.replaceAll(/\W+/g, '_'))
  return Object.fromEntries(
    Array.from(kinds, ([kind, ofKind]) => [
      `${kind}_longest_pause_s`,
      Math.max(...ofKind.map(row => row.longest_pause_s as number)),
    ]),
  )
}
