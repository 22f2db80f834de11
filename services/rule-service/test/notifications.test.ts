import { randomUUID } from 'node:crypto'
import { newId } from '@tocsin/contracts/ids'
import type { Queryable } from '@tocsin/postgres/database'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { listDeliveries, listNotifications } from '../src/notifications-store.ts'
import { problemsIn, type RunningRuleService, startRuleService } from './running-rule-service.ts'

let running: RunningRuleService
const base = '/api/v1/teams/payments'
const rules = [
  { rule_id: 'rul_1', name: 'one', version: 3, endpoint_ids: ['end_1'] },
  { rule_id: 'rul_2', name: 'two', version: 1, endpoint_ids: [] },
]
const ids: string[] = []

/** Rows as the aggregator and the sender leave them. */
beforeAll(async () => {
  running = await startRuleService()
  await running.service.running.started
  for (const team_id of ['payments', 'others']) await call('POST', '/api/v1/teams', { team_id, name: team_id })
  for (const [index, status] of ['delivered', 'ready', 'ready', 'partial', 'pending'].entries()) {
    const id = newId('notification', 1_700_000_000_000 + index)
    ids.unshift(id)
    await running.database.query(
      `WITH key AS (INSERT INTO notification_keys (team_id, alert_id, notification_id) VALUES ('payments', $2, $1)),
            begun AS (INSERT INTO handovers (handover_id, first_id, last_id) SELECT $6, $1, $1 WHERE $5 = 'pending')
       INSERT INTO notifications (notification_id, team_id, alert_id, alert, rules, status, outcome, handover_id)
       VALUES ($1, 'payments', $2, $3, $4, CASE $5 WHEN 'pending' THEN 'ready' ELSE $5 END,
               CASE $5 WHEN 'partial' THEN $5 END, $6)`,
      [
        id,
        `alert-${index}`,
        { alert_id: `alert-${index}`, context: { a: 1 } },
        JSON.stringify(rules),
        status,
        randomUUID(),
      ],
    )
  }
  for (const [index, state] of ['delivered', 'scheduled'].entries()) {
    await running.database.query(
      `INSERT INTO deliveries (delivery_id, notification_id, endpoint_id, team_id, kind, state, attempts, due_at, last_error)
       VALUES ($1, $2, $3, 'payments', 'webhook', $4, 2, '2026-01-02T03:04:05Z', 'status 500')`,
      [`dlv_${index}`, ids[1], `end_${index}`, state],
    )
  }
})
afterAll(() => running[Symbol.asyncDispose]())

const call: RunningRuleService['call'] = (...request) => running.call(...request)
const idsOf = (body: { items: { notification_id: string }[] }) => body.items.map(item => item.notification_id)

describe('notifications', () => {
  it('newest first, page by page', async () => {
    const first = (await call('GET', `${base}/notifications?limit=3`)).body
    const second = (await call('GET', `${base}/notifications?limit=3&cursor=${first.next_cursor}`)).body
    expect([...idsOf(first), ...idsOf(second)]).toEqual(ids)
    expect(second.next_cursor).toBeNull()
  })

  it('the one of an alert, with the rules that matched', async () => {
    const { status, body } = await call('GET', `${base}/notifications?alert_id=alert-3`)
    expect(status).toBe(200)
    expect(body).toEqual({
      items: [
        {
          notification_id: ids[1],
          team_id: 'payments',
          alert_id: 'alert-3',
          alert: { alert_id: 'alert-3', context: { a: 1 } },
          rule_ids: ['rul_1', 'rul_2'],
          rules: [
            { rule_id: 'rul_1', name: 'one', version: 3 },
            { rule_id: 'rul_2', name: 'two', version: 1 },
          ],
          status: 'partial',
          created_at: expect.any(String),
          updated_at: expect.any(String),
        },
      ],
      next_cursor: null,
    })
    expect((await call('GET', `${base}/notifications/${ids[1]}`)).body).toEqual(body.items[0])
    expect((await call('GET', `${base}/notifications?alert_id=unknown`)).body.items).toEqual([])
  })

  it('by status; a status that does not exist is refused instead of finding nothing', async () => {
    expect(idsOf((await call('GET', `${base}/notifications?status=ready`)).body)).toEqual([ids[2], ids[3]])
    const { status, body } = await call('GET', `${base}/notifications?status=done`)
    expect([status, problemsIn(body)]).toEqual([422, ['/status invalid_value']])
  })

  it('404 for one that is not there or is of another team', async () => {
    for (const path of [`${base}/notifications/ntf_none`, `/api/v1/teams/others/notifications/${ids[1]}`]) {
      expect((await call('GET', path)).status).toBe(404)
      expect((await call('GET', `${path}/deliveries`)).status).toBe(404)
    }
  })

  it('404 for those of a team that was deleted, though they are kept', async () => {
    await call('POST', '/api/v1/teams', { team_id: 'gone', name: 'x' })
    await running.database.query(
      `INSERT INTO notifications (notification_id, team_id, alert_id, alert, rules) VALUES ($1, 'gone', 'a', '{}', '[]')`,
      [newId('notification')],
    )
    expect((await call('GET', '/api/v1/teams/gone/notifications')).body.items).toHaveLength(1)
    await call('DELETE', '/api/v1/teams/gone')
    expect((await call('GET', '/api/v1/teams/gone/notifications')).status).toBe(404)
    expect((await running.database.query(`SELECT FROM notifications WHERE team_id = 'gone'`)).rowCount).toBe(1)
  })

  it('nothing of it can be changed: 405', async () => {
    expect((await call('DELETE', `${base}/notifications/${ids[1]}`)).status).toBe(405)
  })
})

describe('deliveries', () => {
  const delivered = {
    delivery_id: 'dlv_0',
    team_id: 'payments',
    endpoint_id: 'end_0',
    kind: 'webhook',
    state: 'delivered',
    attempts: 2,
    last_error: 'status 500',
    next_attempt_at: null,
  }

  it('of one notification, with how often it was tried and what went wrong last', async () => {
    const { body } = await call('GET', `${base}/notifications/${ids[1]}/deliveries`)
    expect(body.items).toEqual([
      expect.objectContaining({
        delivery_id: 'dlv_1',
        state: 'scheduled',
        next_attempt_at: '2026-01-02T03:04:05.000Z',
      }),
      expect.objectContaining({ ...delivered, notification_id: ids[1] }),
    ])
    expect((await call('GET', `${base}/notifications/${ids[0]}/deliveries`)).body.items).toEqual([])
  })

  it('of a team, by state; and one by itself', async () => {
    const { body } = await call('GET', `${base}/deliveries?state=delivered`)
    expect(body.items).toEqual([expect.objectContaining(delivered)])
    expect((await call('GET', `${base}/deliveries/dlv_0`)).body).toEqual(body.items[0])
    expect((await call('GET', `${base}/deliveries?state=sent`)).status).toBe(422)
    expect((await call('GET', '/api/v1/teams/others/deliveries/dlv_0')).status).toBe(404)
  })
})

describe('what few of very many rows are', () => {
  const team = 'busy'
  const page = { limit: 50, after: undefined }

  beforeAll(async () => {
    await running.database.query(
      `INSERT INTO notifications (notification_id, team_id, alert_id, alert, rules, status, outcome)
       SELECT 'ntf_00' || n, $1, n, '{}', '[]', CASE n WHEN 1 THEN 'failed' ELSE 'delivered' END, CASE n WHEN 1 THEN 'failed' END
         FROM generate_series(1, 5000) AS n`,
      [team],
    )
    await running.database.query(
      `INSERT INTO deliveries (delivery_id, notification_id, endpoint_id, team_id, kind, state, due_at)
       SELECT 'dlv_busy_' || n, notification_id, 'end_1', team_id, 'webhook', status, now()
       FROM notifications JOIN generate_series(1, 5000) AS n ON notification_id = 'ntf_00' || n`,
    )
    await running.database.query('ANALYZE notifications, deliveries')
  })

  /** Postgres's plan in the place of the rows. */
  const explain: Queryable = { query: (text, values) => running.database.query(`EXPLAIN ${text}`, values) }

  it.each(['partial', 'failed'] as const)('notifications that are %s are found by an index', async status => {
    const plan = await listNotifications(explain, team, { alertId: undefined, status }, page)
    expect(JSON.stringify(plan)).toMatch(/Index Scan using notifications_\w+_outcome_/)
  })

  it.each(['failed', 'skipped'] as const)('deliveries that are %s are found by an index', async state => {
    const plan = await listDeliveries(explain, team, { notificationId: undefined, state }, page)
    expect(JSON.stringify(plan)).toContain('deliveries_rare')
  })
})
