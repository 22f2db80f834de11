import type { TeamCreate } from '@tocsin/contracts/http'
import type { PageRequest } from '@tocsin/http/paging'
import type { Database, Queryable } from '@tocsin/postgres/database'
import { noSuch } from './not-found.ts'
import { changeRules, deleteRules } from './rule-versions-store.ts'

export interface TeamRow {
  team_id: string
  name: string
  version: number
  created_at: Date
  updated_at: Date
}

/** Called with the row locked and its version; throws when the caller meant another one. */
export type VersionCheck = (version: number) => void

/** Undefined when the id is taken. */
export async function insertTeam(db: Queryable, { team_id, name }: TeamCreate): Promise<TeamRow | undefined> {
  const { rows } = await db.query<TeamRow>(
    'INSERT INTO teams (team_id, name) VALUES ($1, $2) ON CONFLICT DO NOTHING RETURNING *',
    [team_id, name],
  )
  return rows[0]
}

export async function listTeams(db: Queryable, { limit, after }: PageRequest): Promise<TeamRow[]> {
  const { rows } = await db.query<TeamRow>(
    'SELECT * FROM teams WHERE ($1::text IS NULL OR team_id > $1) ORDER BY team_id LIMIT $2',
    [after, limit + 1],
  )
  return rows
}

export async function findTeam(db: Queryable, teamId: string): Promise<TeamRow> {
  const { rows } = await db.query<TeamRow>('SELECT * FROM teams WHERE team_id = $1', [teamId])
  if (rows[0] === undefined) throw noSuch('team', teamId)
  return rows[0]
}

/**
 * The first lock of every write below a team, so that it cannot be deleted meanwhile. Always taken before any row of
 * the team: taken in another order, a write and a DELETE of the team would wait for each other.
 */
export async function holdTeam(client: Queryable, teamId: string): Promise<void> {
  const { rowCount } = await client.query('SELECT FROM teams WHERE team_id = $1 FOR KEY SHARE', [teamId])
  if (rowCount === 0) throw noSuch('team', teamId)
}

export async function renameTeam(db: Database, teamId: string, check: VersionCheck, name: string): Promise<TeamRow> {
  return db.transaction(async client => {
    await lockTeam(client, teamId, check, 'FOR NO KEY UPDATE')
    const { rows } = await client.query<TeamRow>(
      'UPDATE teams SET name = $2, version = version + 1, updated_at = now() WHERE team_id = $1 RETURNING *',
      [teamId, name],
    )
    return rows[0]!
  })
}

/** With its rules, each of which is told as deleted, and its endpoints. What was notified stays on record. */
export async function deleteTeam(
  db: Database,
  { teamId, changedBy, check }: { teamId: string; changedBy: string; check: VersionCheck },
): Promise<void> {
  await changeRules(db, async client => {
    await lockTeam(client, teamId, check, 'FOR UPDATE')
    await deleteRules(client, changedBy, { teamId })
    await client.query('DELETE FROM teams WHERE team_id = $1', [teamId])
  })
}

async function lockTeam(
  client: Queryable,
  teamId: string,
  check: VersionCheck,
  strength: 'FOR UPDATE' | 'FOR NO KEY UPDATE',
): Promise<void> {
  const { rows } = await client.query<{ version: number }>(`SELECT version FROM teams WHERE team_id = $1 ${strength}`, [
    teamId,
  ])
  if (rows[0] === undefined) throw noSuch('team', teamId)
  check(rows[0].version)
}
