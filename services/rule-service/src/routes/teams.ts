import { type TeamResource, teamCreateSchema, teamUpdateSchema } from '@tocsin/contracts/http'
import { storableJsonOf } from '@tocsin/http/body'
import { requireMatch } from '@tocsin/http/etag'
import { pageOf, pageRequest } from '@tocsin/http/paging'
import { checked, invalidAt, refusal } from '@tocsin/http/problems'
import type { ApiRequest, Route } from '@tocsin/http/routes'
import type { Database } from '@tocsin/postgres/database'
import { createdAnswer, noContent, resourceAnswer } from '../resource-answer.ts'
import { deleteTeam, findTeam, insertTeam, listTeams, renameTeam, type TeamRow } from '../teams-store.ts'

export function teamRoutes(database: Database): Route[] {
  const rename = async (request: ApiRequest) => {
    const teamId = request.param('team')
    const { team_id, name } = checked(teamUpdateSchema, storableJsonOf(request.body))
    if (team_id !== undefined && team_id !== teamId) {
      throw invalidAt('/team_id', 'fixed', `is ${teamId} and cannot be changed`)
    }
    const check = (version: number) => requireMatch(request.headers, version)
    return resourceAnswer(teamResource(await renameTeam(database, teamId, check, name)))
  }

  return [
    {
      path: '/api/v1/teams',
      GET: async ({ query }) => {
        const page = pageRequest(query, 'teams')
        const rows = await listTeams(database, page)
        return { body: pageOf(rows, page, 'teams', { key: row => row.team_id, item: teamResource }) }
      },
      POST: async request => {
        const team = checked(teamCreateSchema, storableJsonOf(request.body))
        const row = await insertTeam(database, team)
        if (row === undefined) throw refusal('conflict', `there is a team ${team.team_id} already`)
        return createdAnswer(`/api/v1/teams/${row.team_id}`, teamResource(row))
      },
    },
    {
      path: '/api/v1/teams/:team',
      GET: async request => resourceAnswer(teamResource(await findTeam(database, request.param('team')))),
      // A team's name is all that can change, so replacing it and changing it are the same.
      PUT: rename,
      PATCH: rename,
      DELETE: async request => {
        const check = (version: number) => requireMatch(request.headers, version)
        await deleteTeam(database, { teamId: request.param('team'), changedBy: request.caller.key_id, check })
        return noContent
      },
    },
  ]
}

function teamResource({ team_id, name, version, created_at, updated_at }: TeamRow): TeamResource {
  return { team_id, name, version, created_at: created_at.toISOString(), updated_at: updated_at.toISOString() }
}
