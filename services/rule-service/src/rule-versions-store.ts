import { type RuleAction, schemaVersion } from '@tocsin/contracts/messages'
import { topics } from '@tocsin/contracts/topics'
import type { PageRequest } from '@tocsin/http/paging'
import { refusal } from '@tocsin/http/problems'
import type { Database, Queryable } from '@tocsin/postgres/database'
import { outboxChannel } from './outbox.ts'
import type { RuleDefinition } from './rule-forms.ts'
import type { RuleRow } from './rules-store.ts'

export interface RuleChange {
  action: RuleAction
  /** The key_id of who did it. */
  changedBy: string
}

/**
 * One transaction that changes rules; when it is committed, the relays of all copies are told. A copy that dies in between
 * leaves it to the relays to look by themselves.
 */
export async function changeRules<T>(db: Database, work: (client: Queryable) => Promise<T>): Promise<T> {
  const changed = await db.transaction(work)
  db.notify(outboxChannel)
  return changed
}

/** What a statement that writes rules returns of them, under the names of `RuleRow`. */
export const ruleColumns = `rule_id, team_id, name, conditions, shorthand, endpoint_ids AS endpoints, enabled,
  notify_resolved, version, created_at, updated_at`

const definition = `jsonb_build_object('name', name, 'conditions', conditions, 'shorthand', shorthand,
  'endpoints', endpoints, 'enabled', enabled, 'notify_resolved', notify_resolved)`

/** One rule, or all of a team. */
export async function deleteRules(
  client: Queryable,
  changedBy: string,
  which: { ruleId: string } | { teamId: string },
): Promise<void> {
  const [column, id] = 'ruleId' in which ? ['rule_id', which.ruleId] : ['team_id', which.teamId]
  const write = `DELETE FROM rules WHERE ${column} = $1 RETURNING rule_id, team_id, version + 1 AS version`
  await writeRules(client, { action: 'deleted', changedBy }, write, [id])
}

/**
 * Runs a statement that writes rules and returns their columns. Their new versions and the messages about them are part
 * of the same statement, so that no change can have only one of them, and it is one trip. Of one rule the rows come in
 * the order of its versions, because its row is locked while they are written.
 */
export async function writeRules(
  client: Queryable,
  { action, changedBy }: RuleChange,
  write: string,
  values: readonly unknown[],
): Promise<RuleRow[]> {
  const $ = (more: number) => `$${values.length + more}`
  const { rows } = await client.query<RuleRow>(
    `WITH written AS (${write}), recorded AS (
       INSERT INTO rule_versions (rule_id, version, team_id, action, changed_by, definition)
       SELECT rule_id, version, team_id, ${$(1)}, ${$(2)}, ${action === 'deleted' ? 'NULL' : definition} FROM written
       RETURNING rule_id, version, team_id, action, changed_at
     ), told AS (
       INSERT INTO outbox (topic, key, message)
       SELECT ${$(3)}, rule_id, jsonb_build_object(
         'schema_version', ${$(4)}::integer, 'team_id', team_id, 'rule_id', rule_id, 'version', version, 'action', action,
         'changed_at', to_char(changed_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'))
       FROM recorded
     )
     SELECT * FROM written`,
    [...values, action, changedBy, topics.ruleChanged, schemaVersion],
  )
  return rows
}

export interface RuleVersionRow {
  version: number
  action: RuleAction
  changed_at: Date
  changed_by: string | null
  /** Of the key that it was changed with; null when that is gone. */
  changed_by_name: string | null
  before: RuleDefinition | null
  after: RuleDefinition | null
  snapshot_version: number | null
  snapshot_at: Date | null
}

/** Newest first; also of a rule that is deleted. */
export async function listRuleVersions(
  db: Queryable,
  teamId: string,
  ruleId: string,
  { limit, after }: PageRequest,
): Promise<RuleVersionRow[]> {
  if (after !== undefined && !/^\d{1,9}$/.test(after)) throw refusal('malformed', 'the cursor names no version')
  const { rows } = await db.query<RuleVersionRow>(
    `SELECT its.version, its.action, its.changed_at, its.changed_by, api_keys.name AS changed_by_name,
       previous.definition AS before, its.definition AS after, its.snapshot_version, its.snapshot_at
     FROM rule_versions AS its
     LEFT JOIN rule_versions AS previous ON previous.rule_id = its.rule_id AND previous.version = its.version - 1
     LEFT JOIN api_keys ON api_keys.key_id = its.changed_by
     WHERE its.team_id = $1 AND its.rule_id = $2 AND ($3::integer IS NULL OR its.version < $3)
     ORDER BY its.version DESC LIMIT $4`,
    [teamId, ruleId, after, limit + 1],
  )
  return rows
}
