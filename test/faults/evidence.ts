import { setTimeout as sleep } from 'node:timers/promises'
import { partitionsPerTopic, topics } from '@tocsin/contracts/topics'
import { eventually } from '@tocsin/testkit/eventually'
import { type Offsets, readOffsets } from '@tocsin/testkit/topic-offsets'
import { readTopic } from '@tocsin/testkit/topic-reader'
import type { WebhookReceiver } from '@tocsin/testkit/webhook-receiver'
import type { Cluster } from './cluster.ts'
import type { Teams } from './teams.ts'

/** What is there when everything has come to rest. */
export interface Evidence {
  readonly rows: readonly Row[]
  /** In the order of their topic's partition. */
  readonly handedOver: readonly HandedOver[]
  /** By notification: the different `webhook-id`s under which it was told, one for each delivery. */
  readonly told: ReadonlyMap<string, ReadonlySet<string>>
  readonly deadLetters: { readonly records: number; readonly rows: number }
}

export interface Row {
  readonly notification_id: string
  readonly team_id: string
  readonly alert_id: string
  readonly status: string
  /** How many rows there are of this team and alert. */
  readonly copies: number
}

export interface HandedOver {
  readonly notificationId: string
  readonly partition: number
  readonly offset: number
  /** By the sweep, which finds what nobody handed over. */
  readonly bySweep: boolean
}

/** Which group reads which topic. */
const groups: Readonly<Record<string, string>> = {
  evaluator: topics.alertsNew,
  aggregator: topics.alertsMatched,
  sender: topics.notificationsReady,
  'rule-updater': topics.ruleChanged,
  'dead-letters': topics.deadLetters,
}

const topicSizes = Object.fromEntries(Object.values(topics).map(topic => [topic, partitionsPerTopic]))

/**
 * Far above what any fault takes to be got over. Counted from the last time that anything moved: a machine with other work is
 * slow, and that is nobody's fault.
 */
const stuckMs = 300_000
const lookEveryMs = 500

/** Returns when nothing waits any more: every group has read all, every row was handed over, every delivery is made. */
export async function untilAtRest(cluster: Cluster): Promise<void> {
  let [before, movedAt] = ['', performance.now()]
  for (;;) {
    const waiting = await whatWaits(cluster).catch(error => String(error)) // a broker that still loads a group, say
    if (waiting === '') return
    if (waiting !== before) [before, movedAt] = [waiting, performance.now()]
    if (performance.now() - movedAt > stuckMs) throw new Error(`nothing moves for ${stuckMs / 1_000} s: ${waiting}`)
    await sleep(lookEveryMs)
  }
}

async function whatWaits({ kafkaBrokers, database }: Cluster): Promise<string> {
  const waiting = [...lagOf(await readOffsets(kafkaBrokers, topicSizes, Object.keys(groups)))]
  const { rows } = await database.query<{ status: string; count: number }>(
    `SELECT status, count(*) FROM notifications WHERE status = 'ready' GROUP BY status
     UNION ALL SELECT 'in batches that are not handed over', count(*) FROM handovers HAVING count(*) > 0`,
  )
  for (const { status, count } of rows) waiting.push(`${count} notifications are ${status}`)
  return waiting.join(', ')
}

function* lagOf({ ends, committed }: Offsets): Generator<string> {
  for (const [group, topic] of Object.entries(groups)) {
    for (let partition = 0; partition < partitionsPerTopic; partition++) {
      const place = `${topic}/${partition}`
      const behind = (ends.get(place) ?? 0) - Math.max(0, committed.get(group)?.get(place) ?? 0)
      if (behind !== 0) yield `${group} is ${behind} behind on ${place}`
    }
  }
}

export async function gather(cluster: Cluster, teams: Teams, receiver: WebhookReceiver): Promise<Evidence> {
  const { database, kafkaBrokers } = cluster
  const { rows } = await database.query<Row>(
    `SELECT n.notification_id, n.team_id, n.alert_id, n.status, c.copies
     FROM notifications n JOIN (
       SELECT team_id, alert_id, count(*) AS copies FROM notifications GROUP BY team_id, alert_id
     ) c USING (team_id, alert_id)
     WHERE team_id = ANY($1)`,
    [teams.all],
  )
  const { ends } = await readOffsets(kafkaBrokers, topicSizes, [])
  const total = (topic: string) =>
    Array.from({ length: partitionsPerTopic }, (_, partition) => ends.get(`${topic}/${partition}`) ?? 0).reduce(
      (sum, end) => sum + end,
    )
  const letters = await database.query<{ count: number }>('SELECT count(*) FROM dead_letters')
  return {
    rows,
    handedOver: await readHandedOver(kafkaBrokers, total(topics.notificationsReady)),
    told: toldIn(receiver),
    deadLetters: { records: total(topics.deadLetters), rows: letters.rows[0]!.count },
  }
}

async function readHandedOver(brokers: string, count: number): Promise<HandedOver[]> {
  await using reader = await readTopic(topics.notificationsReady, { brokers })
  await eventually(
    () => {
      if (reader.records.length < count) throw new Error(`${reader.records.length} of ${count} records were read`)
    },
    { withinMs: 60_000 },
  )
  return reader.records.map(({ value, partition, offset, headers }) => ({
    notificationId: JSON.parse(value).notification_id,
    partition,
    offset,
    bySweep: headers.origin === 'aggregator',
  }))
}

function toldIn({ received }: WebhookReceiver): Map<string, Set<string>> {
  const told = new Map<string, Set<string>>()
  for (const { body, headers } of received) {
    const id: string = JSON.parse(body).data.notification_id
    told.set(id, (told.get(id) ?? new Set()).add(String(headers['webhook-id'])))
  }
  return told
}
