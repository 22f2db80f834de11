import { hash } from 'node:crypto'
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

export interface Read {
  waiting: Waiting
  /** Rules that have no line in a snapshot. Somebody wrote past rule-service. */
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
 * Made by Postgres, so that 100,000 rules are never objects here; `json_build_object` took half as long again. An id with
 * a space or a line end in it would break the lines of a chunk, and an evaluator could not read conditions that are no
 * object: one such row must not keep all others on an old snapshot.
 */
const json = `CASE WHEN jsonb_typeof(rules.conditions) = 'object' AND rules.rule_id !~ '[[:space:][:cntrl:]]|^$'
  THEN row_to_json(rules)::text END`

/** Of each rule one row, however often it was changed; and of the rules in $1, which is what a comparison found. */
const changedRules = `SELECT changed.rule_id, versions, oldest_at, rules.rule_id IS NOT NULL AS enabled, ${json} AS json
   FROM (SELECT rule_id, array_agg(version) AS versions, min(changed_at) AS oldest_at
           FROM rule_versions WHERE snapshot_version IS NULL GROUP BY rule_id
          UNION ALL SELECT rule_id, '{}', NULL FROM unnest($1::text[]) AS drifted (rule_id)) AS changed
   LEFT JOIN ${enabledRules} ON rules.rule_id = changed.rule_id`

interface ChangedRow {
  rule_id: string
  versions: number[]
  oldest_at: Date | null
  enabled: boolean
  json: string | null
}

/**
 * What waits, and the rules that it is about as they are now: in one view of the database, so a transaction over many
 * rules is in it with all of them or with none, however many there are. Mostly they are few, and one statement is enough.
 * `onPage` must not let anybody see what it is given before all of it was read.
 */
export async function readChanges(database: Database, drifted: readonly string[], onPage: OnPage): Promise<Read> {
  const read: Read = { waiting: noneWaiting(), unreadable: [] }
  const onRows = async (rows: readonly ChangedRow[]) => {
    for (const row of rows) {
      if (row.enabled && row.json === null) read.unreadable.push(row.rule_id)
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
export async function readEverything(database: Database, onPage: OnPage): Promise<Read> {
  const unreadable: string[] = []
  const waiting = await readAll<RuleRow>(database, `${json} AS json`, async rows => {
    for (const row of rows) if (row.json === null) unreadable.push(row.rule_id)
    await onPage(rows.map(presentRule))
  })
  return { waiting, unreadable }
}

/** 128 bits: what is compared is accidents, not attacks. */
export const hashOf = (json: string): string => hash('sha256', json, 'hex').slice(0, 32)

export interface HashedRule {
  rule_id: string
  /** `hashOf` its JSON; null when it has none. */
  hash: string | null
}

/** The same, but of each JSON its hash: a tenth to send and to throw away, and made by Postgres beside our work. */
export function readHashes(
  database: Database,
  onPage: (rules: readonly HashedRule[]) => Promise<void>,
): Promise<Waiting> {
  return readAll<HashedRule>(database, `left(encode(sha256(convert_to(${json}, 'UTF8')), 'hex'), 32) AS hash`, onPage)
}

function readAll<Row extends object>(database: Database, column: string, onPage: OnRows<Row>): Promise<Waiting> {
  return database.transaction(async transaction => {
    await readPages(transaction, `SELECT rules.rule_id, ${column} FROM ${enabledRules}`, [], onPage)
    const waiting = noneWaiting()
    const waits = 'SELECT rule_id, version, changed_at FROM rule_versions WHERE snapshot_version IS NULL'
    await readPages<WaitingRow>(transaction, waits, [], rows => {
      for (const { rule_id, version, changed_at } of rows) addWaiting(waiting, rule_id, version, changed_at)
    })
    return waiting
  }, oneView)
}

type OnRows<Row> = (rows: readonly Row[]) => Promise<void> | void

/** By a cursor and not by keys: an order is not needed, and one that follows the index costs random reads. */
async function readPages<Row extends object>(
  transaction: Queryable,
  select: string,
  values: unknown[],
  onRows: OnRows<Row>,
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
  json: string | null
}

interface WaitingRow {
  rule_id: string
  version: number
  changed_at: Date
}

const presentRule = ({ rule_id, json }: RuleRow): PresentRule => ({ rule_id, json: json ?? undefined })

const noneWaiting = (): Waiting => ({ rule_ids: [], versions: [], oldest_at: undefined })

function addWaiting(waiting: Waiting, rule_id: string, version: number, changed_at: Date): void {
  waiting.rule_ids.push(rule_id)
  waiting.versions.push(version)
  if (waiting.oldest_at === undefined || changed_at < waiting.oldest_at) waiting.oldest_at = changed_at
}

/** Whether every change that was ever told to be in a snapshot can be in this one, and Postgres knows that it was drawn. */
export async function holdsAllStamped(database: Queryable, version: number): Promise<boolean> {
  const { rows } = await database.query<{ holds: boolean }>(
    `SELECT version >= $1 AND NOT EXISTS (SELECT FROM rule_versions WHERE snapshot_version > $1) AS holds
       FROM snapshot_lease`,
    [version],
  )
  return rows[0]?.holds === true
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
