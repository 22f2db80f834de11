import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { AppError, messageOf } from '@tocsin/runtime/errors'
import pg from 'pg'
import { type ConnectionSettings, connectionOptions } from './connection-options.ts'

/** Any number that nothing else in this database locks. Two migrations at once would otherwise race each other's DDL. */
const migrationLock = 7_063_2001

export interface Migration {
  version: number
  name: string
  sql: string
  checksum: string
}

/** The files in order. Numbers are unique and without gaps, so that two branches cannot both add "the next one". */
export function readMigrations(folder: string): Migration[] {
  const files = readdirSync(folder)
    .filter(file => file.endsWith('.sql'))
    .sort()
  return files.map((file, index) => {
    const version = Number(/^(\d{4})_[a-z0-9_]+\.sql$/.exec(file)?.[1])
    if (version !== index + 1) {
      throw new AppError(
        'bad_migration',
        `${file}: expected number ${String(index + 1).padStart(4, '0')} and a name like 0001_teams.sql`,
      )
    }
    const sql = readFileSync(join(folder, file), 'utf8')
    return { version, name: file, sql, checksum: createHash('sha256').update(sql).digest('hex') }
  })
}

/** Runs what the database does not have yet, in order. Gives the names of those it ran. */
export async function migrate(settings: ConnectionSettings, folder: string): Promise<string[]> {
  const migrations = readMigrations(folder)
  const client = new pg.Client({ ...connectionOptions(settings), application_name: 'tocsin migrate' })
  await client.connect()
  try {
    await lock(client)
    await client.query(`CREATE TABLE IF NOT EXISTS schema_migrations (
      version    integer PRIMARY KEY,
      name       text NOT NULL,
      checksum   text NOT NULL,
      applied_at timestamptz NOT NULL DEFAULT now()
    )`)
    const { rows: applied } = await client.query<Applied>(
      'SELECT version, name, checksum FROM schema_migrations ORDER BY version',
    )
    checkHistory(applied, migrations)
    const missing = migrations.slice(applied.length)
    for (const migration of missing) await run(client, migration)
    return missing.map(migration => migration.name)
  } finally {
    await client.end() // ends the session, and with it the lock
  }
}

interface Applied {
  version: number
  name: string
  checksum: string
}

/** A file that changed after it ran, or a database ahead of the code, means that nobody knows what the schema is. */
function checkHistory(applied: Applied[], migrations: Migration[]): void {
  for (const [index, row] of applied.entries()) {
    const file = migrations[index]
    if (file === undefined) {
      throw new AppError(
        'database_ahead',
        `the database has ${row.name}, which this version does not know: run the newer version`,
      )
    }
    if (file.checksum !== row.checksum) {
      throw new AppError(
        'migration_changed',
        `${file.name} was changed after it ran (as ${row.name}): add a new migration instead`,
      )
    }
  }
}

/**
 * Asked for again and again instead of waited for: a statement that waits has a snapshot, and an index that another
 * migration builds concurrently would wait for that one in its turn.
 */
async function lock(client: pg.Client): Promise<void> {
  const ask = () => client.query<{ mine: boolean }>('SELECT pg_try_advisory_lock($1) AS mine', [migrationLock])
  while (!(await ask()).rows[0]!.mine) await sleep(100)
}

/**
 * A file runs in a transaction of its own, unless one of its comments begins with "No transaction". That is for indexes
 * on large tables, which can be built without holding up writers only outside of one. Its statements run one by one,
 * each ends with a `;` at the end of a line, and each may run again: when one fails, those before it stay.
 */
async function run(client: pg.Client, migration: Migration): Promise<void> {
  const inTransaction = !/^-- No transaction\b/m.test(migration.sql)
  try {
    if (inTransaction) await client.query('BEGIN')
    for (const statement of inTransaction ? [migration.sql] : statementsOf(migration.sql)) await client.query(statement)
    await client.query('INSERT INTO schema_migrations (version, name, checksum) VALUES ($1, $2, $3)', [
      migration.version,
      migration.name,
      migration.checksum,
    ])
    if (inTransaction) await client.query('COMMIT')
  } catch (error) {
    if (inTransaction) await client.query('ROLLBACK').catch(() => {})
    throw new AppError('migration_failed', `${migration.name}: ${messageOf(error)}`, { cause: error })
  }
}

function statementsOf(sql: string): string[] {
  const code = sql.replace(/^\s*--.*$/gm, '')
  return code.split(/;[ \t]*$/m).filter(statement => statement.trim() !== '')
}
