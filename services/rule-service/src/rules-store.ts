import { newId } from '@tocsin/contracts/ids'
import type { RuleAction } from '@tocsin/contracts/messages'
import type { PageRequest } from '@tocsin/http/paging'
import { invalid } from '@tocsin/http/problems'
import type { Database, Queryable } from '@tocsin/postgres/database'
import { missingEndpoints } from './endpoints-store.ts'
import { noSuch } from './not-found.ts'
import type { RuleDefinition } from './rule-forms.ts'
import { changeRules, deleteRules, ruleColumns, writeRules } from './rule-versions-store.ts'
import { findTeam, holdTeam, type VersionCheck } from './teams-store.ts'

export interface RuleRow extends RuleDefinition {
  rule_id: string
  team_id: string
  version: number
  created_at: Date
  updated_at: Date
}

/** A rule with the first snapshot that knows its current version, and since when that could be read. */
export interface RuleInSnapshot extends RuleRow {
  snapshot_version: number | null
  snapshot_at: Date | null
}

/** Whose rule is written, and with which key. */
export interface Writer {
  teamId: string
  changedBy: string
}

export interface RuleEdit extends Writer {
  ruleId: string
  check: VersionCheck
}

/** In the order of $3 and what follows, in both statements that write a rule. */
const valuesOf = (rule: RuleDefinition) => [
  rule.name,
  rule.conditions,
  rule.shorthand,
  rule.endpoints,
  rule.enabled,
  rule.notify_resolved,
]

export async function insertRule(db: Database, { teamId, changedBy }: Writer, rule: RuleDefinition): Promise<RuleRow> {
  return changeRules(db, async client => {
    await holdTeam(client, teamId)
    await requireEndpoints(client, teamId, rule.endpoints)
    const [made] = await writeRules(
      client,
      { action: 'created', changedBy },
      `INSERT INTO rules (rule_id, team_id, name, conditions, shorthand, endpoint_ids, enabled, notify_resolved)
       VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING ${ruleColumns}`,
      [newId('rule'), teamId, ...valuesOf(rule)],
    )
    return made!
  })
}

export async function listRules(db: Queryable, teamId: string, { limit, after }: PageRequest): Promise<RuleRow[]> {
  const { rows } = await db.query<RuleRow>(
    `SELECT ${ruleColumns} FROM rules
     WHERE team_id = $1 AND ($2::text IS NULL OR rule_id > $2) ORDER BY rule_id LIMIT $3`,
    [teamId, after, limit + 1],
  )
  return rows
}

export async function findRule(db: Queryable, teamId: string, ruleId: string): Promise<RuleInSnapshot | undefined> {
  const { rows } = await db.query<RuleInSnapshot>(
    `SELECT found.*, snapshot_version, snapshot_at
     FROM (SELECT ${ruleColumns} FROM rules WHERE team_id = $1 AND rule_id = $2) AS found
     LEFT JOIN rule_versions USING (rule_id, version)`,
    [teamId, ruleId],
  )
  return rows[0]
}

/** `next` sees the rule as it is under the lock, so that two PATCHes of different members both count. */
export async function changeRule(
  db: Database,
  { teamId, changedBy, ruleId, check }: RuleEdit,
  next: (current: RuleDefinition) => RuleDefinition,
): Promise<RuleRow> {
  return changeRules(db, async client => {
    const current = await lockRule(client, teamId, ruleId, check)
    const rule = next(current)
    await requireEndpoints(client, teamId, rule.endpoints)
    const [changed] = await writeRules(
      client,
      { action: actionOf(current, rule), changedBy },
      `UPDATE rules SET name = $3, conditions = $4, shorthand = $5, endpoint_ids = $6, enabled = $7,
         notify_resolved = $8, version = version + 1, updated_at = now()
       WHERE team_id = $1 AND rule_id = $2 RETURNING ${ruleColumns}`,
      [teamId, ruleId, ...valuesOf(rule)],
    )
    return changed!
  })
}

export async function deleteRule(db: Database, { teamId, changedBy, ruleId, check }: RuleEdit): Promise<void> {
  await changeRules(db, async client => {
    await lockRule(client, teamId, ruleId, check)
    await deleteRules(client, changedBy, { ruleId })
  })
}

/** The team first, as `holdTeam` has it: its part of the statement is done before a rule is looked for. */
async function lockRule(client: Queryable, teamId: string, ruleId: string, check: VersionCheck): Promise<RuleRow> {
  const { rows } = await client.query<RuleRow>(
    `WITH held AS MATERIALIZED (SELECT team_id FROM teams WHERE team_id = $1 FOR KEY SHARE)
     SELECT ${ruleColumns} FROM rules WHERE team_id = (SELECT team_id FROM held) AND rule_id = $2 FOR UPDATE`,
    [teamId, ruleId],
  )
  if (rows[0] === undefined) {
    await findTeam(client, teamId)
    throw noSuch('rule', ruleId)
  }
  check(rows[0].version)
  return rows[0]
}

async function requireEndpoints(client: Queryable, teamId: string, endpoints: readonly string[]): Promise<void> {
  const missing = await missingEndpoints(client, teamId, endpoints)
  if (missing.length === 0) return
  throw invalid(
    missing.map(index => ({
      pointer: `/endpoints/${index}`,
      code: 'unknown_endpoint',
      message: `${endpoints[index]} is no endpoint of ${teamId}`,
    })),
  )
}

function actionOf(before: RuleDefinition, after: RuleDefinition): RuleAction {
  if (before.enabled === after.enabled) return 'updated'
  return after.enabled ? 'enabled' : 'disabled'
}
