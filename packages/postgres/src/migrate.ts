import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { AppError } from '@tocsin/runtime/errors'
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

/** Runs what the database does not have yet, each file in a transaction of its own. Gives the names of those it ran. */
export async function migrate(settings: ConnectionSettings, folder: string): Promise<string[]> {
  const migrations = readMigrations(folder)
  const client = new pg.Client({ ...connectionOptions(settings), application_name: 'tocsin migrate' })
  await client.connect()
  try {
    await client.query('SELECT pg_advisory_lock($1)', [migrationLock])
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

async function run(client: pg.Client, { version, name, sql, checksum }: Migration): Promise<void> {
  try {
    await client.query('BEGIN')
    await client.query(sql)
    await client.query('INSERT INTO schema_migrations (version, name, checksum) VALUES ($1, $2, $3)', [
      version,
      name,
      checksum,
    ])
    await client.query('COMMIT')
  } catch (error) {
    await client.query('ROLLBACK').catch(() => {})
    throw new AppError('migration_failed', `${name}: ${error instanceof Error ? error.message : error}`, {
      cause: error,
    })
  }
}
