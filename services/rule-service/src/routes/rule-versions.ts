import type { RuleVersionResource } from '@tocsin/contracts/http'
import { pageOf, pageRequest } from '@tocsin/http/paging'
import type { Route } from '@tocsin/http/routes'
import type { Database } from '@tocsin/postgres/database'
import { noSuch } from '../not-found.ts'
import { ruleAsRead } from '../rule-forms.ts'
import { listRuleVersions, type RuleVersionRow } from '../rule-versions-store.ts'
import { findTeam } from '../teams-store.ts'

export function ruleVersionRoutes(database: Database): Route[] {
  return [
    {
      path: '/api/v1/teams/:team/rules/:rule/versions',
      GET: async request => {
        const [teamId, ruleId] = [request.param('team'), request.param('rule')]
        const list = `versions of ${ruleId}`
        const page = pageRequest(request.query, list)
        await findTeam(database, teamId) // always: versions outlive their team, as they outlive their rule
        const rows = await listRuleVersions(database, teamId, ruleId, page)
        if (rows.length === 0 && page.after === undefined) throw noSuch('rule', ruleId)
        return { body: pageOf(rows, page, list, { key: row => String(row.version), item: versionResource }) }
      },
    },
  ]
}

function versionResource(row: RuleVersionRow): RuleVersionResource {
  return {
    version: row.version,
    action: row.action,
    changed_at: row.changed_at.toISOString(),
    changed_by: row.changed_by === null ? null : { key_id: row.changed_by, name: row.changed_by_name },
    before: row.before && ruleAsRead(row.before),
    after: row.after && ruleAsRead(row.after),
    snapshot_version: row.snapshot_version,
    live_since: row.snapshot_at?.toISOString() ?? null,
  }
}
