import { randomBytes } from 'node:crypto'
import type { EndpointCreate, EndpointResource } from '@tocsin/contracts/http'
import type { WebhookUrlRules } from '@tocsin/contracts/webhook-url'
import { storableJsonOf } from '@tocsin/http/body'
import { requireMatch } from '@tocsin/http/etag'
import { pageOf, pageRequest } from '@tocsin/http/paging'
import { checked } from '@tocsin/http/problems'
import type { ApiRequest, Route } from '@tocsin/http/routes'
import type { Database } from '@tocsin/postgres/database'
import { endpointFrom, patchedEndpoint, requireSameKind } from '../endpoint-forms.ts'
import {
  changeEndpoint,
  deleteEndpoint,
  type EndpointRow,
  endpointAsWritten,
  findEndpoint,
  insertEndpoint,
  listEndpoints,
} from '../endpoints-store.ts'
import { noSuch } from '../not-found.ts'
import { createdAnswer, noContent, resourceAnswer } from '../resource-answer.ts'
import { anyObject } from '../rule-forms.ts'
import { findTeam } from '../teams-store.ts'

/** As Standard Webhooks has it: 32 random bytes behind a prefix that secret scanners know. */
const newWebhookSecret = () => `whsec_${randomBytes(32).toString('base64')}`

export function endpointRoutes(database: Database, rules: WebhookUrlRules): Route[] {
  const change = async (request: ApiRequest, next: (current: EndpointCreate) => EndpointCreate) => {
    const check = (version: number) => requireMatch(request.headers, version)
    const row = await changeEndpoint(database, request.param('team'), request.param('endpoint'), check, next)
    return resourceAnswer(endpointResource(row))
  }

  return [
    {
      path: '/api/v1/teams/:team/endpoints',
      GET: async request => {
        const teamId = request.param('team')
        const page = pageRequest(request.query, 'endpoints')
        const rows = await listEndpoints(database, teamId, page)
        if (rows.length === 0) await findTeam(database, teamId)
        return { body: pageOf(rows, page, 'endpoints', { key: row => row.endpoint_id, item: endpointResource }) }
      },
      POST: async request => {
        const teamId = request.param('team')
        const endpoint = endpointFrom(storableJsonOf(request.body), rules)
        const secret = endpoint.kind === 'webhook' ? newWebhookSecret() : null
        const resource = endpointResource(await insertEndpoint(database, teamId, endpoint, secret))
        const told = secret === null ? resource : { ...resource, secret }
        return createdAnswer(`/api/v1/teams/${teamId}/endpoints/${resource.endpoint_id}`, told)
      },
    },
    {
      path: '/api/v1/teams/:team/endpoints/:endpoint',
      GET: async request => {
        const [teamId, endpointId] = [request.param('team'), request.param('endpoint')]
        const row = await findEndpoint(database, teamId, endpointId)
        if (row !== undefined) return resourceAnswer(endpointResource(row))
        await findTeam(database, teamId)
        throw noSuch('endpoint', endpointId)
      },
      PUT: request => {
        const endpoint = endpointFrom(storableJsonOf(request.body), rules)
        return change(request, current => requireSameKind(current, endpoint))
      },
      PATCH: request => {
        const patch = checked(anyObject, storableJsonOf(request.body))
        return change(request, current => patchedEndpoint(current, patch, rules))
      },
      DELETE: async request => {
        const check = (version: number) => requireMatch(request.headers, version)
        await deleteEndpoint(database, request.param('team'), request.param('endpoint'), check)
        return noContent
      },
    },
  ]
}

function endpointResource(row: EndpointRow): EndpointResource {
  const { endpoint_id, team_id, version, created_at, updated_at } = row
  return {
    endpoint_id,
    team_id,
    ...endpointAsWritten(row),
    version,
    created_at: created_at.toISOString(),
    updated_at: updated_at.toISOString(),
  }
}
