import { randomBytes } from 'node:crypto'
import { Database } from '@tocsin/postgres/database'
import { postgresSettings } from '@tocsin/postgres/settings'
import { parseSettings } from '@tocsin/runtime/config'
import { createLogger } from '@tocsin/runtime/logger'
import { rulesOf } from '../matcher/rule-sets.ts'

/** The rules of many teams, put where rule-service would have put them: over REST they would take minutes. */
export interface SeededRules extends AsyncDisposable {
  /** The team that owns them. */
  readonly team: string
  readonly ids: readonly string[]
  readonly database: Database
}

const rowsPerStatement = 5_000

export async function seedRules(databaseUrl: string, count: number): Promise<SeededRules> {
  const parsed = parseSettings(postgresSettings, { DATABASE_URL: databaseUrl })
  if ('problems' in parsed) throw new Error(JSON.stringify(parsed.problems))
  const database = new Database(parsed.settings, createLogger('bench', 'silent'))
  const team = `bench-${randomBytes(4).toString('hex')}`
  await database.query('INSERT INTO teams (team_id, name) VALUES ($1, $1)', [team])
  const ids: string[] = []
  let rows: { rule_id: string; conditions: unknown }[] = []
  for (const { id, conditions } of rulesOf('mixed', count)) {
    const rule_id = `${id}-${team}`
    ids.push(rule_id)
    rows.push({ rule_id, conditions })
    if (rows.length < rowsPerStatement && ids.length < count) continue
    await insert(database, team, rows)
    rows = []
  }
  return {
    team,
    ids,
    database,
    async [Symbol.asyncDispose]() {
      await remove(database, team)
      await database.close()
    },
  }
}

async function insert(database: Database, team: string, rows: readonly object[]): Promise<void> {
  await database.query(
    `WITH made AS (
       INSERT INTO rules (rule_id, team_id, name, conditions)
       SELECT rule ->> 'rule_id', $1, 'rule of the benchmark', rule -> 'conditions' FROM jsonb_array_elements($2) AS rule
       RETURNING *)
     INSERT INTO rule_versions (rule_id, version, team_id, action, definition)
     SELECT rule_id, version, team_id, 'created', jsonb_build_object('name', name, 'conditions', conditions,
            'shorthand', shorthand, 'endpoints', endpoint_ids, 'enabled', enabled, 'notify_resolved', notify_resolved)
       FROM made`,
    [team, JSON.stringify(rows)],
  )
}

/** With their history: a benchmark leaves nothing behind. That evaluators forget them is told by the reconciliation. */
async function remove(database: Database, team: string): Promise<void> {
  await database.query('DELETE FROM rules WHERE team_id = $1', [team])
  await database.query('DELETE FROM rule_versions WHERE team_id = $1', [team])
  await database.query('DELETE FROM teams WHERE team_id = $1', [team])
  await database.query('UPDATE snapshot_lease SET rebuilds_wanted = rebuilds_wanted + 1')
}
