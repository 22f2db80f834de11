import type { Database } from '@tocsin/postgres/database'
import { eventually } from '@tocsin/testkit/eventually'
import type { WebhookReceiver } from '@tocsin/testkit/webhook-receiver'
import { expect } from 'vitest'
import type { Api, Team } from './team.ts'

/**
 * The promise to somebody who pulls the plug of any one process: 1,000 alerts that were accepted are 1,000
 * notifications, each delivered. A delivery that was on the wire when its sender died may arrive a second time, under
 * the same webhook-id; the notification stays one.
 */
export interface Flow {
  api: Api
  database: Database
  receiver: WebhookReceiver
  team: Team
}

export const alertsPerFlow = 1_000
const alertsPerRequest = 20

/** A killed worker's partitions are free after its session, its deliveries after their claim or lease: 30 s at most. */
export const takeoverMs = 60_000

/** Lets the alerts flow, breaks something a third of the way in, and waits until every one of them was told. */
export async function expectNothingLost(flow: Flow, name: string, breakSomething: () => Promise<void>): Promise<void> {
  const ids = Array.from({ length: alertsPerFlow }, (_, index) => `${name}-${index}`)
  let broken: Promise<void> | undefined
  await sendAll(flow, ids, accepted => {
    if (accepted >= alertsPerFlow / 3) broken ??= breakSomething()
  })
  await broken
  await expectAllDelivered(flow, ids)
  expectOneDeliveryEach(flow, ids)
}

/** A producer that does what ours must: it repeats, with the same ids, whatever was not acknowledged. */
async function sendAll(
  { api, team }: Flow,
  ids: readonly string[],
  onProgress: (accepted: number) => void,
): Promise<void> {
  for (let from = 0; from < ids.length; from += alertsPerRequest) {
    const alerts = ids.slice(from, from + alertsPerRequest).map(alert_id => ({
      alert_id,
      severity: 'HIGH',
      source: 'api',
      name: team.alertName,
    }))
    await eventually(
      async () => {
        const { status, body } = await api.call('POST', '/api/v1/alerts', alerts)
        expect(status, JSON.stringify(body)).toBe(202)
      },
      { withinMs: takeoverMs, everyMs: 200 },
    )
    onProgress(from + alerts.length)
  }
}

async function expectAllDelivered({ database, receiver }: Flow, ids: readonly string[]): Promise<void> {
  await eventually(
    async () => {
      const { rows } = await database.query<{ status: string; count: number }>(
        'SELECT status, count(*) FROM notifications WHERE alert_id = ANY($1) GROUP BY status',
        [ids],
      )
      expect(rows).toEqual([{ status: 'delivered', count: ids.length }])
    },
    { withinMs: takeoverMs, everyMs: 200 },
  )
  const wanted = new Set(ids)
  expect(new Set(told(receiver).map(({ alertId }) => alertId)).intersection(wanted)).toEqual(wanted)
}

/** Each webhook-id stands for one delivery: a repeat on the wire is known by it. */
function expectOneDeliveryEach({ receiver }: Flow, ids: readonly string[]): void {
  const wanted = new Set(ids)
  const ofWanted = told(receiver).filter(({ alertId }) => wanted.has(alertId))
  for (const [alertId, requests] of Map.groupBy(ofWanted, request => request.alertId)) {
    expect(new Set(requests.map(({ webhookId }) => webhookId)).size, alertId).toBe(1)
  }
}

function told(receiver: WebhookReceiver) {
  return receiver.received.map(({ body, headers }) => ({
    alertId: JSON.parse(body).data.alert.alert_id as string,
    webhookId: headers['webhook-id'],
  }))
}
