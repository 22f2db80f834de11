import type { RuleResource } from '@tocsin/contracts/http'
import { storableJsonOf } from '@tocsin/http/body'
import { requireMatch } from '@tocsin/http/etag'
import { pageOf, pageRequest } from '@tocsin/http/paging'
import { checked } from '@tocsin/http/problems'
import type { ApiRequest, Route } from '@tocsin/http/routes'
import type { Database } from '@tocsin/postgres/database'
import { limits } from '@tocsin/rules/language'
import { validateConditions } from '@tocsin/rules/validate-conditions'
import { noSuch } from '../not-found.ts'
import { createdAnswer, noContent, resourceAnswer } from '../resource-answer.ts'
import { anyObject, below, patchedRule, type RuleDefinition, ruleAsRead, ruleFrom } from '../rule-forms.ts'
import type { LiveReader } from '../rule-live.ts'
import {
  changeRule,
  deleteRule,
  findRule,
  insertRule,
  listRules,
  type RuleEdit,
  type RuleRow,
  type Writer,
} from '../rules-store.ts'
import { findTeam } from '../teams-store.ts'

/**
 * Four times what `conditions` may have in characters: for letters of several bytes and for people who indent. The rest
 * of a rule is small.
 */
const limitBytes = 4 * limits.size

export interface RuleRoutesOptions {
  database: Database
  readLive: LiveReader
}

export function ruleRoutes({ database, readLive }: RuleRoutesOptions): Route[] {
  const change = async (request: ApiRequest, next: (current: RuleDefinition) => RuleDefinition) =>
    resourceAnswer(writtenRule(await changeRule(database, editBy(request), next)))

  return [
    {
      path: '/api/v1/teams/:team/rules',
      limitBytes,
      GET: async request => {
        const teamId = request.param('team')
        const page = pageRequest(request.query, 'rules')
        const rows = await listRules(database, teamId, page)
        if (rows.length === 0) await findTeam(database, teamId)
        return { body: pageOf(rows, page, 'rules', { key: row => row.rule_id, item: ruleResource }) }
      },
      POST: async request => {
        const row = await insertRule(database, writerOf(request), ruleFrom(storableJsonOf(request.body)))
        return createdAnswer(`/api/v1/teams/${row.team_id}/rules/${row.rule_id}`, writtenRule(row))
      },
    },
    {
      path: '/api/v1/teams/:team/rules/:rule',
      limitBytes,
      GET: async request => {
        const [teamId, ruleId] = [request.param('team'), request.param('rule')]
        const row = await findRule(database, teamId, ruleId)
        if (row !== undefined) {
          return resourceAnswer({ ...ruleResource(row), live: await readLive(row) })
        }
        await findTeam(database, teamId)
        throw noSuch('rule', ruleId)
      },
      PUT: request => {
        const rule = ruleFrom(storableJsonOf(request.body))
        return change(request, () => rule)
      },
      PATCH: request => {
        const patch = checked(anyObject, storableJsonOf(request.body))
        return change(request, current => ruleFrom(patchedRule(current, patch)))
      },
      DELETE: async request => {
        await deleteRule(database, editBy(request))
        return noContent
      },
    },
  ]
}

const writerOf = (request: ApiRequest): Writer => ({
  teamId: request.param('team'),
  changedBy: request.caller.key_id,
})

const editBy = (request: ApiRequest): RuleEdit => ({
  ...writerOf(request),
  ruleId: request.param('rule'),
  check: version => requireMatch(request.headers, version),
})

/** For whoever wrote it, with what is allowed and looks like a mistake. */
function writtenRule(row: RuleRow): RuleResource {
  const validated = validateConditions(row.conditions)
  const warnings = 'warnings' in validated ? validated.warnings.map(below('/conditions')) : []
  return { ...ruleResource(row), ...(warnings.length > 0 && { warnings }) }
}

function ruleResource(row: RuleRow): RuleResource {
  const { rule_id, team_id, version } = row
  return {
    rule_id,
    team_id,
    ...ruleAsRead(row),
    version,
    created_at: row.created_at.toISOString(),
    updated_at: row.updated_at.toISOString(),
  }
}
