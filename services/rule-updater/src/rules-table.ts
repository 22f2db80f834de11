import type { Database, Queryable } from '@tocsin/postgres/database'

/** A rule as it is now. */
export interface PresentRule {
  rule_id: string
  /** Its id, a space and its JSON; undefined when no snapshot has it. */
  text: string | undefined
}

/** The rows of `rule_versions` that wait for a snapshot, as they were read; column by column, as the stamp wants them. */
export interface Waiting {
  rule_ids: string[]
  versions: number[]
  oldest_at: Date | undefined
}

export interface Read {
  waiting: Waiting
  /** Rules that have no text in a snapshot. Somebody wrote past rule-service. */
  unreadable: string[]
}

export type OnPage = (rules: readonly PresentRule[]) => Promise<void> | void

/** Conditions have 64 KiB at most: 13 MB. Mostly it is 0.1 MB, some 1 ms of work, and others get their turn in between. */
export const rulesPerPage = 200

/** A view of the database that stays while it is read by pages. Nobody waits for it but vacuum. */
const oneView = 'BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY'

/** The columns are the members of `SnapshotRule`, in its order. */
const enabledRules = `(SELECT rule_id, name, version, endpoint_ids, team_id, conditions, notify_resolved
                          FROM rules WHERE enabled) AS rules`

/**
 * Made by Postgres, so that 100,000 rules are never objects here, and whole: a text that is put together here is kept with
 * its parts. `json_build_object` took half as long again. An id with a space or a line end in it would break the lines of
 * a chunk, and an evaluator could not read conditions that are no object: one such row must not keep all others on an old
 * snapshot.
 */
const text = `CASE WHEN jsonb_typeof(rules.conditions) = 'object' AND rules.rule_id !~ '[[:space:][:cntrl:]]|^$'
  THEN rules.rule_id || ' ' || row_to_json(rules)::text END AS text`

/** Of each rule one row, however often it was changed; and of the rules in $1, which is what a comparison found. */
const changedRules = `SELECT changed.rule_id, versions, oldest_at, rules.rule_id IS NOT NULL AS enabled, ${text}
   FROM (SELECT rule_id, array_agg(version) AS versions, min(changed_at) AS oldest_at
           FROM rule_versions WHERE snapshot_version IS NULL GROUP BY rule_id
          UNION ALL SELECT rule_id, '{}', NULL FROM unnest($1::text[]) AS drifted (rule_id)) AS changed
   LEFT JOIN ${enabledRules} ON rules.rule_id = changed.rule_id`

interface ChangedRow {
  rule_id: string
  versions: number[]
  oldest_at: Date | null
  enabled: boolean
  text: string | null
}

/**
 * What waits, and the rules that it is about as they are now: in one view of the database, so a transaction over many
 * rules is in it with all of them or with none, however many there are. Mostly they are few, and one statement is enough.
 * `onPage` must not let anybody see what it is given before all of it was read.
 */
export async function readChanges(database: Database, drifted: readonly string[], onPage: OnPage): Promise<Read> {
  const read = nothingRead()
  const onRows = async (rows: readonly ChangedRow[]) => {
    for (const row of rows) {
      if (row.enabled && row.text === null) read.unreadable.push(row.rule_id)
      for (const version of row.versions) addWaiting(read.waiting, row.rule_id, version, row.oldest_at!)
    }
    await onPage(rows.map(presentRule))
  }
  const { rows } = await database.query<ChangedRow>(`${changedRules} LIMIT ${rulesPerPage + 1}`, [drifted])
  if (rows.length <= rulesPerPage) await onRows(rows)
  else await database.transaction(transaction => readPages(transaction, changedRules, [drifted], onRows), oneView)
  return read
}

/** All enabled rules, page by page, and then what waits, in one view. In the order of the table: who wants another sorts. */
export function readEverything(database: Database, onPage: OnPage): Promise<Read> {
  const read = nothingRead()
  const readAll = async (transaction: Queryable) => {
    const rules = `SELECT rules.rule_id, ${text} FROM ${enabledRules}`
    await readPages<RuleRow>(transaction, rules, [], async rows => {
      for (const row of rows) if (row.text === null) read.unreadable.push(row.rule_id)
      await onPage(rows.map(presentRule))
    })
    const waits = 'SELECT rule_id, version, changed_at FROM rule_versions WHERE snapshot_version IS NULL'
    await readPages<WaitingRow>(transaction, waits, [], rows => {
      for (const { rule_id, version, changed_at } of rows) addWaiting(read.waiting, rule_id, version, changed_at)
    })
    return read
  }
  return database.transaction(readAll, oneView)
}

/** By a cursor and not by keys: an order is not needed, and one that follows the index costs random reads. */
async function readPages<Row extends object>(
  transaction: Queryable,
  select: string,
  values: unknown[],
  onRows: (rows: readonly Row[]) => Promise<void> | void,
): Promise<void> {
  await transaction.query(`DECLARE pages NO SCROLL CURSOR FOR ${select}`, values)
  for (let more = true; more; ) {
    const { rows } = await transaction.query<Row>(`FETCH ${rulesPerPage} FROM pages`)
    more = rows.length === rulesPerPage
    await onRows(rows)
    // What pg gave its answer by lives until the next full collection, and would keep each page until then: 60 MB.
    rows.length = 0
  }
  await transaction.query('CLOSE pages')
}

interface RuleRow {
  rule_id: string
  text: string | null
}

interface WaitingRow {
  rule_id: string
  version: number
  changed_at: Date
}

const presentRule = ({ rule_id, text }: RuleRow): PresentRule => ({ rule_id, text: text ?? undefined })

const nothingRead = (): Read => ({
  waiting: { rule_ids: [], versions: [], oldest_at: undefined },
  unreadable: [],
})

function addWaiting(waiting: Waiting, rule_id: string, version: number, changed_at: Date): void {
  waiting.rule_ids.push(rule_id)
  waiting.versions.push(version)
  if (waiting.oldest_at === undefined || changed_at < waiting.oldest_at) waiting.oldest_at = changed_at
}

/** Some 0.3 s, of the 8 that a statement may take. */
const stampsPerStatement = 5_000

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
