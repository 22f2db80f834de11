import { eventually } from '@tocsin/testkit/eventually'
import { type Stack, serviceNames, startStack } from '@tocsin/testkit/stack'
import { startWebhookReceiver, type WebhookReceiver } from '@tocsin/testkit/webhook-receiver'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { createTeam, type Team } from './team.ts'

/**
 * The promise to somebody who pulls the plug of any one process: 1,000 alerts that were accepted are 1,000
 * notifications, each delivered. A delivery that was on the wire when its sender died may arrive a second time, under
 * the same webhook-id; the notification stays one.
 */
const alertsPerTest = 1_000
const alertsPerRequest = 20

/** A killed worker's partitions are free after its session (10 s) and its deliveries after their claim (15 s). */
const takeoverMs = 60_000

let stack: Stack
let receiver: WebhookReceiver
let team: Team

beforeAll(async () => {
  stack = await startStack()
  receiver = await startWebhookReceiver()
  team = await createTeam(stack, receiver.url)
  await team.addRule()
}, 120_000)
afterAll(async () => {
  await stack?.stop()
  await receiver?.close()
})
afterEach(context => {
  if (context.task.result?.state === 'fail') console.error(stack.recentLogs())
})

/** A producer that does what ours must: it repeats, with the same ids, whatever was not acknowledged. */
async function sendAll(ids: readonly string[], onProgress: (accepted: number) => void): Promise<void> {
  for (let from = 0; from < ids.length; from += alertsPerRequest) {
    const alerts = ids.slice(from, from + alertsPerRequest).map(alert_id => ({
      alert_id,
      severity: 'HIGH',
      source: 'api',
      name: team.alertName,
    }))
    await eventually(async () => expect((await stack.call('POST', '/api/v1/alerts', alerts)).status).toBe(202), {
      withinMs: takeoverMs,
      everyMs: 200,
    })
    onProgress(from + alerts.length)
  }
}

async function expectAllDelivered(ids: readonly string[]): Promise<void> {
  await eventually(
    async () => {
      const { rows } = await stack.database.query<{ status: string; count: number }>(
        'SELECT status, count(*) FROM notifications WHERE alert_id = ANY($1) GROUP BY status',
        [ids],
      )
      expect(rows).toEqual([{ status: 'delivered', count: ids.length }])
    },
    { withinMs: takeoverMs, everyMs: 200 },
  )
  const told = receiver.received.map(request => JSON.parse(request.body).data.alert.alert_id as string)
  const wanted = new Set(ids)
  expect(new Set(told.filter(id => wanted.has(id)))).toEqual(wanted)
}

/** Each webhook-id stands for one delivery: a repeat on the wire is known by it. */
function expectOneDeliveryEach(ids: readonly string[]): void {
  const wanted = new Set(ids)
  const deliveries = new Map<string, Set<string>>()
  for (const { body, headers } of receiver.received) {
    const alertId = JSON.parse(body).data.alert.alert_id as string
    if (wanted.has(alertId)) {
      deliveries.set(alertId, (deliveries.get(alertId) ?? new Set()).add(String(headers['webhook-id'])))
    }
  }
  for (const [alertId, webhookIds] of deliveries) expect(webhookIds.size, alertId).toBe(1)
}

for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
  test.each(serviceNames)(
    `${signal} of %s while 1,000 alerts flow, then its restart: 1,000 notifications, each delivered`,
    async name => {
      const service = stack.services[name]
      const ids = Array.from({ length: alertsPerTest }, (_, index) => `${signal}-${name}-${index}`)
      let restarted: Promise<void> | undefined
      await sendAll(ids, accepted => {
        if (accepted < alertsPerTest / 3 || restarted !== undefined) return
        restarted = service.end(signal).then(exitCode => {
          if (signal === 'SIGTERM') expect(exitCode).toBe(0)
          return service.start()
        })
      })
      await restarted
      await expectAllDelivered(ids)
      expectOneDeliveryEach(ids)
      await stack.untilReady()
    },
    2 * takeoverMs,
  )
}
