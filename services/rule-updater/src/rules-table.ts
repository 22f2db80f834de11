import { type SnapshotRule, snapshotRuleSchema } from '@tocsin/contracts/snapshot'
import type { Queryable } from '@tocsin/postgres/database'

/** Any number that nothing else in this database locks. */
const snapshotLock = 7_063_2010

/** One builder at a time; until the transaction ends, however it ends. */
export async function lockSnapshots(transaction: Queryable): Promise<void> {
  await transaction.query('SELECT pg_advisory_xact_lock($1)', [snapshotLock])
}

export interface RulesRead {
  /** The enabled rules, in an order that is always the same. */
  rules: SnapshotRule[]
  /** Every rule that waits for a snapshot, disabled ones too, as it was when it was read. */
  unstamped: RowVersion[]
  /** Rules that no evaluator could read. Somebody wrote past rule-service. */
  unreadable: string[]
}

/** `xmin` is the transaction that wrote a row. Any later write changes it, whether or not it counts `version` up. */
interface RowVersion {
  rule_id: string
  xmin: string
}

type RuleRow = SnapshotRule & { enabled: boolean; unstamped: boolean; xmin: string }

/** One statement, so one consistent view of all rules. */
export async function readRules(transaction: Queryable): Promise<RulesRead> {
  const { rows } = await transaction.query<RuleRow>(
    `SELECT rule_id, team_id, name, version, endpoint_ids, conditions, notify_resolved,
            enabled, snapshot_version IS NULL AS unstamped, xmin::text
       FROM rules
      WHERE enabled OR snapshot_version IS NULL
      ORDER BY rule_id`,
  )
  const read: RulesRead = { rules: [], unstamped: [], unreadable: [] }
  for (const row of rows) {
    if (row.unstamped) read.unstamped.push({ rule_id: row.rule_id, xmin: row.xmin })
    if (!row.enabled) continue
    // One rule that readers would refuse would otherwise keep every team on the last good snapshot.
    const rule = snapshotRuleSchema.safeParse(row)
    if (rule.success) read.rules.push(rule.data)
    else read.unreadable.push(row.rule_id)
  }
  return read
}

/** 100,000 stamps take some 3 s, a statement may take 30 s, and imports of a million rules exist. */
const stampsPerStatement = 10_000

/**
 * Says which snapshot holds these rules. A row that was written since it was read keeps its NULL: the snapshot does not
 * hold that. SKIP LOCKED, because a row that somebody holds is about to change anyway, and because waiting for it could
 * deadlock with a request that edits many rules; should that request roll back, the next check stamps the row.
 */
export async function stampRules(transaction: Queryable, version: number, rows: readonly RowVersion[]): Promise<void> {
  for (let from = 0; from < rows.length; from += stampsPerStatement) {
    await stamp(transaction, version, rows.slice(from, from + stampsPerStatement))
  }
}

async function stamp(transaction: Queryable, version: number, rows: readonly RowVersion[]): Promise<void> {
  await transaction.query(
    `WITH as_read AS (
       SELECT rules.rule_id
         FROM rules JOIN unnest($2::text[], $3::text[]) AS seen (rule_id, xmin)
           ON rules.rule_id = seen.rule_id AND rules.xmin::text = seen.xmin
          FOR NO KEY UPDATE OF rules SKIP LOCKED)
     UPDATE rules SET snapshot_version = $1 FROM as_read WHERE rules.rule_id = as_read.rule_id`,
    [version, rows.map(row => row.rule_id), rows.map(row => row.xmin)],
  )
}

/** The next version, above `floor`. */
export async function drawVersion(transaction: Queryable, floor: number): Promise<number> {
  const { newestVersion } = await readProgress(transaction)
  if (newestVersion < floor) await transaction.query(`SELECT setval('snapshot_versions', $1)`, [floor])
  const { rows } = await transaction.query<{ version: number }>(`SELECT nextval('snapshot_versions') AS version`)
  return rows[0]!.version
}

export interface Progress {
  /** The last version that was drawn; 0 before the first. */
  newestVersion: number
  /** Does any rule wait for a snapshot? */
  unstamped: boolean
}

/** Cheap: the sequence's one row, and a partial index that is nearly always empty. */
export async function readProgress(database: Queryable): Promise<Progress> {
  const { rows } = await database.query<{ newest: number; unstamped: boolean }>(
    `SELECT CASE WHEN is_called THEN last_value ELSE 0 END AS newest,
            EXISTS (SELECT FROM rules WHERE snapshot_version IS NULL) AS unstamped
       FROM snapshot_versions`,
  )
  return { newestVersion: rows[0]!.newest, unstamped: rows[0]!.unstamped }
}
