import type { EndpointCreate } from '@tocsin/contracts/http'
import { newId } from '@tocsin/contracts/ids'
import type { PageRequest } from '@tocsin/http/paging'
import { refusal } from '@tocsin/http/problems'
import type { Database, Queryable } from '@tocsin/postgres/database'
import { noSuch } from './not-found.ts'
import { holdTeam, type VersionCheck } from './teams-store.ts'

export interface EndpointRow {
  endpoint_id: string
  team_id: string
  kind: 'webhook' | 'email'
  name: string
  target: { url: string } | { to: string[] }
  enabled: boolean
  version: number
  created_at: Date
  updated_at: Date
}

/** All but the secret: it is told once, when the endpoint is made, and only the sender reads it again. */
const columns = 'endpoint_id, team_id, kind, name, target, enabled, version, created_at, updated_at'

const targetOf = (endpoint: EndpointCreate) =>
  endpoint.kind === 'webhook' ? { url: endpoint.url } : { to: endpoint.to }

/** The endpoint as a caller would write it. */
export function endpointAsWritten({ kind, name, target, enabled }: EndpointRow): EndpointCreate {
  return { kind, name, enabled, ...target } as EndpointCreate
}

export async function insertEndpoint(
  db: Database,
  teamId: string,
  endpoint: EndpointCreate,
  secret: string | null,
): Promise<EndpointRow> {
  return db.transaction(async client => {
    await holdTeam(client, teamId)
    const { rows } = await client.query<EndpointRow>(
      `INSERT INTO endpoints (endpoint_id, team_id, kind, name, target, secret, enabled)
       VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING ${columns}`,
      [newId('endpoint'), teamId, endpoint.kind, endpoint.name, targetOf(endpoint), secret, endpoint.enabled],
    )
    return rows[0]!
  })
}

export async function listEndpoints(db: Queryable, teamId: string, page: PageRequest): Promise<EndpointRow[]> {
  const { rows } = await db.query<EndpointRow>(
    `SELECT ${columns} FROM endpoints
     WHERE team_id = $1 AND ($2::text IS NULL OR endpoint_id > $2) ORDER BY endpoint_id LIMIT $3`,
    [teamId, page.after, page.limit + 1],
  )
  return rows
}

export async function findEndpoint(
  db: Queryable,
  teamId: string,
  endpointId: string,
): Promise<EndpointRow | undefined> {
  const { rows } = await db.query<EndpointRow>(
    `SELECT ${columns} FROM endpoints WHERE team_id = $1 AND endpoint_id = $2`,
    [teamId, endpointId],
  )
  return rows[0]
}

/** `next` sees the endpoint as it is under the lock, so that two PATCHes of different members both count. */
export async function changeEndpoint(
  db: Database,
  teamId: string,
  endpointId: string,
  check: VersionCheck,
  next: (current: EndpointCreate) => EndpointCreate,
): Promise<EndpointRow> {
  return db.transaction(async client => {
    await holdTeam(client, teamId)
    const current = await lockEndpoint(client, teamId, endpointId, check, 'FOR NO KEY UPDATE')
    const endpoint = next(endpointAsWritten(current))
    const { rows } = await client.query<EndpointRow>(
      `UPDATE endpoints SET name = $2, target = $3, enabled = $4, version = version + 1, updated_at = now()
       WHERE endpoint_id = $1 RETURNING ${columns}`,
      [endpointId, endpoint.name, targetOf(endpoint), endpoint.enabled],
    )
    return rows[0]!
  })
}

/** Refused while a rule names it: that rule would go on matching and tell nobody. */
export async function deleteEndpoint(
  db: Database,
  teamId: string,
  endpointId: string,
  check: VersionCheck,
): Promise<void> {
  await db.transaction(async client => {
    await holdTeam(client, teamId)
    // FOR UPDATE waits for every rule that is being written with this endpoint; they hold it FOR KEY SHARE.
    await lockEndpoint(client, teamId, endpointId, check, 'FOR UPDATE')
    const { rows } = await client.query<{ rule_id: string; name: string }>(
      'SELECT rule_id, name FROM rules WHERE team_id = $1 AND endpoint_ids @> ARRAY[$2] ORDER BY rule_id LIMIT 100',
      [teamId, endpointId],
    )
    if (rows.length > 0) {
      const who = rows.length === 1 ? `the rule ${rows[0]!.name} notifies` : `${rows.length} rules notify`
      throw refusal('conflict', `${who} this endpoint; take it out there first`, { rules: rows })
    }
    await client.query('DELETE FROM endpoints WHERE endpoint_id = $1', [endpointId])
  })
}

async function lockEndpoint(
  client: Queryable,
  teamId: string,
  endpointId: string,
  check: VersionCheck,
  strength: 'FOR UPDATE' | 'FOR NO KEY UPDATE',
): Promise<EndpointRow> {
  const { rows } = await client.query<EndpointRow>(
    `SELECT ${columns} FROM endpoints WHERE team_id = $1 AND endpoint_id = $2 ${strength}`,
    [teamId, endpointId],
  )
  if (rows[0] === undefined) throw noSuch('endpoint', endpointId)
  check(rows[0].version)
  return rows[0]
}

/** Positions of the ids that are no endpoint of this team. Those that are stay until the transaction ends. */
export async function missingEndpoints(client: Queryable, teamId: string, ids: readonly string[]): Promise<number[]> {
  if (ids.length === 0) return []
  const { rows } = await client.query<{ endpoint_id: string }>(
    `SELECT endpoint_id FROM endpoints WHERE team_id = $1 AND endpoint_id = ANY($2)
     ORDER BY endpoint_id FOR KEY SHARE`,
    [teamId, ids],
  )
  const found = new Set(rows.map(row => row.endpoint_id))
  return ids.flatMap((id, index) => (found.has(id) ? [] : [index]))
}
