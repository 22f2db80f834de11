import {
  type DeliveryResource,
  deliveryStates,
  type NotificationResource,
  notificationStatuses,
} from '@tocsin/contracts/http'
import { pageOf, pageRequest, single } from '@tocsin/http/paging'
import type { ApiRequest, Route } from '@tocsin/http/routes'
import type { Database } from '@tocsin/postgres/database'
import { noSuch } from '../not-found.ts'
import {
  type DeliveryRow,
  findDelivery,
  findNotification,
  listDeliveries,
  listNotifications,
  type NotificationRow,
} from '../notifications-store.ts'
import { oneOf } from '../query-values.ts'
import { findTeam } from '../teams-store.ts'

/** What the pipeline did, to be looked at: nothing here can be changed. */
export function notificationRoutes(database: Database): Route[] {
  // Always asked for, and not only when nothing is found: these rows outlive their team.
  const team = async (request: ApiRequest) => (await findTeam(database, request.param('team'))).team_id

  const notification = async (request: ApiRequest) => {
    const id = request.param('notification')
    const row = await findNotification(database, await team(request), id)
    if (row === undefined) throw noSuch('notification', id)
    return row
  }

  const deliveriesPage = async ({ query }: ApiRequest, teamId: string, notificationId: string | undefined) => {
    const page = pageRequest(query, 'deliveries')
    const filter = { notificationId, state: oneOf(deliveryStates, query, 'state') }
    const rows = await listDeliveries(database, teamId, filter, page)
    return { body: pageOf(rows, page, 'deliveries', { key: row => row.delivery_id, item: deliveryResource }) }
  }

  return [
    {
      path: '/api/v1/teams/:team/notifications',
      GET: async request => {
        const page = pageRequest(request.query, 'notifications')
        const filter = {
          alertId: single(request.query, 'alert_id'),
          status: oneOf(notificationStatuses, request.query, 'status'),
        }
        const rows = await listNotifications(database, await team(request), filter, page)
        const shape = { key: (row: NotificationRow) => row.notification_id, item: notificationResource }
        return { body: pageOf(rows, page, 'notifications', shape) }
      },
    },
    {
      path: '/api/v1/teams/:team/notifications/:notification',
      GET: async request => ({ body: notificationResource(await notification(request)) }),
    },
    {
      path: '/api/v1/teams/:team/notifications/:notification/deliveries',
      GET: async request => {
        const { team_id, notification_id } = await notification(request)
        return deliveriesPage(request, team_id, notification_id)
      },
    },
    {
      path: '/api/v1/teams/:team/deliveries',
      GET: async request => deliveriesPage(request, await team(request), undefined),
    },
    {
      path: '/api/v1/teams/:team/deliveries/:delivery',
      GET: async request => {
        const row = await findDelivery(database, await team(request), request.param('delivery'))
        if (row === undefined) throw noSuch('delivery', request.param('delivery'))
        return { body: deliveryResource(row) }
      },
    },
  ]
}

function notificationResource(row: NotificationRow): NotificationResource {
  return {
    notification_id: row.notification_id,
    team_id: row.team_id,
    alert_id: row.alert_id,
    alert: row.alert,
    rule_ids: row.rules.map(rule => rule.rule_id),
    rules: row.rules.map(({ rule_id, name, version }) => ({ rule_id, name, version })),
    status: row.status,
    created_at: row.created_at.toISOString(),
    updated_at: row.updated_at.toISOString(),
  }
}

const finished: readonly DeliveryRow['state'][] = ['delivered', 'failed', 'skipped']

function deliveryResource({ due_at, created_at, updated_at, ...row }: DeliveryRow): DeliveryResource {
  return {
    ...row,
    next_attempt_at: finished.includes(row.state) ? null : due_at.toISOString(),
    created_at: created_at.toISOString(),
    updated_at: updated_at.toISOString(),
  }
}
