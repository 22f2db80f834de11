import { createHash, randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { Database } from '@tocsin/postgres/database'
import { migrate, readMigrations } from '@tocsin/postgres/migrate'
import { createLogger } from '@tocsin/runtime/logger'
import { testServers } from './servers.ts'

export const migrationsFolder = join(import.meta.dirname, '../../../migrations')

const templateLock = 7_063_2002

/** Migrated once per state of migrations/, then copied in about 50 ms for each test that asks for a database. */
async function template(admin: Database): Promise<string> {
  const checksums = readMigrations(migrationsFolder).map(migration => migration.checksum)
  const name = `tocsin_template_${createHash('sha256').update(checksums.join()).digest('hex').slice(0, 12)}`
  await admin.transaction(async client => {
    await client.query('SELECT pg_advisory_xact_lock($1)', [templateLock])
    const { rowCount } = await client.query('SELECT FROM pg_database WHERE datname = $1', [name])
    if (rowCount === 1) return
    // Under another name until it is whole: a run that dies in between leaves no half-made template behind.
    const draft = `${name}_${randomBytes(4).toString('hex')}`
    await admin.query(`CREATE DATABASE ${draft}`)
    await migrate({ DATABASE_URL: databaseUrl(draft) }, migrationsFolder)
    await admin.query(`ALTER DATABASE ${draft} RENAME TO ${name}`)
  })
  return name
}

export function databaseUrl(name: string): string {
  const url = new URL(testServers().databaseUrl)
  url.pathname = `/${name}`
  return url.href
}

export interface PrivateDatabase {
  url: string
  drop(): Promise<void>
}

export async function createPrivateDatabase({ migrated = true } = {}): Promise<PrivateDatabase> {
  const admin = openDatabase(testServers().databaseUrl)
  const name = `tocsin_test_${randomBytes(6).toString('hex')}`
  try {
    await admin.query(
      migrated ? `CREATE DATABASE ${name} TEMPLATE ${await template(admin)}` : `CREATE DATABASE ${name}`,
    )
  } finally {
    await admin.close()
  }
  return {
    url: databaseUrl(name),
    async drop() {
      const again = openDatabase(testServers().databaseUrl)
      await again.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`)
      await again.close()
    },
  }
}

export function openDatabase(url: string): Database {
  const settings = { DATABASE_URL: url, DATABASE_TLS_CA: undefined, DATABASE_POOL_SIZE: 4 }
  return new Database(settings, createLogger('testkit', 'silent'))
}
