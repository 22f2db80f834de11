import { openDatabase } from '@tocsin/testkit/private-database'

/** A figure for notifications that are missing, or there twice, would mean nothing. Says what is wrong, if anything. */
export async function whatIsWrong(
  databaseUrl: string,
  source: string,
  { alerts, teams }: { alerts: number; teams: number },
): Promise<string | undefined> {
  const database = openDatabase(databaseUrl)
  try {
    const { rows } = await database.query<{ made: number; alerts: number; pending: number }>(
      `SELECT count(*) AS made, count(DISTINCT alert_id) AS alerts, count(h.handover_id) AS pending
         FROM notifications LEFT JOIN handovers h USING (handover_id) WHERE team_id LIKE $1 || '-%'`,
      [source],
    )
    const [{ made, alerts: distinct, pending }] = rows as [(typeof rows)[0] & object]
    if (made === teams * alerts && distinct === alerts && pending === 0) return undefined
    return `${made} notifications of ${distinct} alerts, ${pending} of them pending`
  } finally {
    await database.close()
  }
}
