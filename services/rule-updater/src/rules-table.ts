import type { Database, Queryable } from '@tocsin/postgres/database'

/** A rule as it is now: its JSON for the snapshot, or undefined when no snapshot has it. */
export interface PresentRule {
  rule_id: string
  json: string | undefined
}

/** The rows of `rule_versions` that wait for a snapshot, as they were read; column by column, as the stamp wants them. */
export interface Waiting {
  rule_ids: string[]
  versions: number[]
  oldest_at: Date | undefined
}

export interface ChangesRead {
  rules: PresentRule[]
  waiting: Waiting
  /** Rules that have no line in a snapshot. Somebody wrote past rule-service. */
  unreadable: string[]
}

/** From about here on it is no slower to read everything: 20,000 of 100,000 rules took 1.2 s, all of them 2.2 s. */
export const changesMax = 20_000

/** The columns are the members of `SnapshotRule`, in its order. */
const enabledRules = `(SELECT rule_id, name, version, endpoint_ids, team_id, conditions, notify_resolved
                          FROM rules WHERE enabled) AS rules`

/**
 * Made by Postgres, so that 100,000 rules are never objects here; `json_build_object` took half as long again. An id with
 * a space or a line end in it would break the lines of a chunk, and an evaluator could not read conditions that are no
 * object: one such row must not keep all others on an old snapshot.
 */
const json = `CASE WHEN jsonb_typeof(rules.conditions) = 'object' AND rules.rule_id !~ '[[:space:][:cntrl:]]|^$'
  THEN row_to_json(rules)::text END AS json`

interface ChangedRow {
  rule_id: string
  version: number
  changed_at: Date
  enabled: boolean
  json: string | null
}

/**
 * What waits, and the rules that it is about as they are now. One statement, so one view of the database: a transaction
 * over many rules is in it with all of them or with none. Undefined when it is more than `changesMax`.
 */
export async function readChanges(database: Queryable): Promise<ChangesRead | undefined> {
  const { rows } = await database.query<ChangedRow>(
    `SELECT waiting.rule_id, waiting.version, waiting.changed_at, rules.rule_id IS NOT NULL AS enabled, ${json}
       FROM rule_versions AS waiting LEFT JOIN ${enabledRules} ON rules.rule_id = waiting.rule_id
      WHERE waiting.snapshot_version IS NULL
      LIMIT $1`,
    [changesMax + 1],
  )
  if (rows.length > changesMax) return undefined
  const read: ChangesRead = { rules: [], waiting: noneWaiting(), unreadable: [] }
  for (const row of rows) {
    read.rules.push({ rule_id: row.rule_id, json: row.json ?? undefined })
    if (row.enabled && row.json === null) read.unreadable.push(row.rule_id)
    addWaiting(read.waiting, row)
  }
  return read
}

/** Some 5 ms of work here: renewals of the lease and changes get their turn in between. */
const rowsPerPage = 1_000

export interface EverythingRead {
  waiting: Waiting
  unreadable: string[]
}

/**
 * All enabled rules, page by page, and then what waits, in one view of the database. READ ONLY, and nobody waits for it
 * but vacuum. The order is that of the table: whoever wants another one sorts.
 */
export function readEverything(
  database: Database,
  onPage: (rules: readonly PresentRule[]) => Promise<void> | void,
): Promise<EverythingRead> {
  const read = async (transaction: Queryable) => {
    const unreadable: string[] = []
    const rules = `SELECT rules.rule_id, ${json} FROM ${enabledRules}`
    await readPages<{ rule_id: string; json: string | null }>(transaction, rules, async rows => {
      for (const row of rows) if (row.json === null) unreadable.push(row.rule_id)
      await onPage(rows.map(row => ({ rule_id: row.rule_id, json: row.json ?? undefined })))
    })
    const waiting = noneWaiting()
    const waits = 'SELECT rule_id, version, changed_at FROM rule_versions WHERE snapshot_version IS NULL'
    await readPages<WaitingRow>(transaction, waits, rows => {
      for (const row of rows) addWaiting(waiting, row)
    })
    return { waiting, unreadable }
  }
  return database.transaction(read, 'BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY')
}

/** By a cursor and not by keys: an order is not needed, and one that follows the index costs random reads. */
async function readPages<Row extends object>(
  transaction: Queryable,
  select: string,
  onPage: (rows: readonly Row[]) => Promise<void> | void,
): Promise<void> {
  await transaction.query(`DECLARE pages NO SCROLL CURSOR FOR ${select}`)
  for (let more = true; more; ) {
    const { rows } = await transaction.query<Row>(`FETCH ${rowsPerPage} FROM pages`)
    await onPage(rows)
    more = rows.length === rowsPerPage
  }
  await transaction.query('CLOSE pages')
}

type WaitingRow = Pick<ChangedRow, 'rule_id' | 'version' | 'changed_at'>

const noneWaiting = (): Waiting => ({ rule_ids: [], versions: [], oldest_at: undefined })

function addWaiting(waiting: Waiting, { rule_id, version, changed_at }: WaitingRow): void {
  waiting.rule_ids.push(rule_id)
  waiting.versions.push(version)
  if (waiting.oldest_at === undefined || changed_at < waiting.oldest_at) waiting.oldest_at = changed_at
}

/** A statement may take 30 s, and imports of a million rules exist. */
const stampsPerStatement = 10_000

/**
 * Says of exactly these rows that this snapshot is the first that knows of them. One that came since they were read is
 * not among them, and waits for the next. Each piece is a transaction of its own; what a crash leaves unstamped, the
 * next leader finds waiting.
 */
export async function stampRows(database: Queryable, version: number, waiting: Waiting): Promise<void> {
  for (let from = 0; from < waiting.rule_ids.length; from += stampsPerStatement) {
    const to = from + stampsPerStatement
    await database.query(
      `UPDATE rule_versions SET snapshot_version = $1, snapshot_at = clock_timestamp()
         FROM unnest($2::text[], $3::int[]) AS read (rule_id, version)
        WHERE rule_versions.rule_id = read.rule_id AND rule_versions.version = read.version
          AND rule_versions.snapshot_version IS NULL`,
      [version, waiting.rule_ids.slice(from, to), waiting.versions.slice(from, to)],
    )
  }
}
