import { spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { migrate, readMigrations } from '@tocsin/postgres/migrate'
import { createPrivateDatabase, migrationsFolder, openDatabase } from '@tocsin/testkit/private-database'
import { expect, onTestFinished, test } from 'vitest'

const names = readMigrations(migrationsFolder).map(migration => migration.name)

async function emptyDatabase(): Promise<string> {
  const { url, drop } = await createPrivateDatabase({ migrated: false })
  onTestFinished(drop)
  return url
}

/** The migrations as a release that lacks the last `behind` of them ships them. */
function olderRelease(behind: number): string {
  const folder = mkdtempSync(join(tmpdir(), 'tocsin-migrations-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  for (const name of names.slice(0, names.length - behind)) cpSync(join(migrationsFolder, name), join(folder, name))
  return folder
}

/** Everything that makes a schema, as text that can be compared. */
async function schemaOf(url: string): Promise<unknown> {
  const database = openDatabase(url)
  const { rows } = await database.query(`
    SELECT table_name || '.' || column_name || ' ' || data_type || ' ' || is_nullable || ' ' || coalesce(column_default, '') AS line
    FROM information_schema.columns WHERE table_schema = 'public'
    UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'
    UNION ALL SELECT conrelid::regclass || ' ' || pg_get_constraintdef(oid) FROM pg_constraint WHERE connamespace = 'public'::regnamespace
    ORDER BY line`)
  await database.close()
  return rows
}

test('an empty database gets every migration once, and nothing the second time', async () => {
  const url = await emptyDatabase()
  expect(await migrate({ DATABASE_URL: url }, migrationsFolder)).toEqual(names)
  expect(await migrate({ DATABASE_URL: url }, migrationsFolder)).toEqual([])
})

test.each(names.map((_, index) => index + 1))(
  'a database %i release(s) behind ends with the schema of a new one, its rows kept',
  async behind => {
    const [old, fresh] = [await emptyDatabase(), await emptyDatabase()]
    await migrate({ DATABASE_URL: old }, olderRelease(behind))
    const database = openDatabase(old)
    if (behind < names.length) await database.query(`INSERT INTO teams (team_id, name) VALUES ('kept', 'Kept')`)
    expect(await migrate({ DATABASE_URL: old }, migrationsFolder)).toEqual(names.slice(-behind))
    await migrate({ DATABASE_URL: fresh }, migrationsFolder)
    expect(await schemaOf(old)).toEqual(await schemaOf(fresh))
    if (behind < names.length) expect((await database.query('SELECT FROM teams')).rowCount).toBe(1)
    await database.close()
  },
)

test('npm run migrate applies what is missing and says what', async () => {
  const script = join(import.meta.dirname, '../../../scripts/migrate.ts')
  const env = { ...process.env, DATABASE_URL: await emptyDatabase() }
  const run = () => spawnSync(process.execPath, [script], { env, encoding: 'utf8' })
  expect(run()).toMatchObject({ status: 0, stdout: names.map(name => `applied ${name}\n`).join('') })
  expect(run()).toMatchObject({ status: 0, stdout: 'up to date: there was nothing to apply\n' })
})

test('several that migrate at the same time run each file once between them', async () => {
  const url = await emptyDatabase()
  const ran = await Promise.all([1, 2, 3, 4].map(() => migrate({ DATABASE_URL: url }, migrationsFolder)))
  expect(ran.flat().toSorted()).toEqual(names)
})

test('a migration that fails leaves nothing of itself, and is named', async () => {
  const folder = olderRelease(0)
  const next = `${String(readdirSync(folder).length + 1).padStart(4, '0')}_broken.sql`
  writeFileSync(join(folder, next), 'CREATE TABLE half_made (id int); SELECT 1/0;')
  const url = await emptyDatabase()
  await expect(migrate({ DATABASE_URL: url }, folder)).rejects.toThrow(`${next}: division by zero`)
  expect(JSON.stringify(await schemaOf(url))).not.toContain('half_made')
  expect(await migrate({ DATABASE_URL: url }, migrationsFolder)).toEqual([])
})

test('a migration without a transaction can be run again after it failed half-way', async () => {
  const folder = olderRelease(0)
  const next = `${String(names.length + 1).padStart(4, '0')}_alone.sql`
  const sqlWith = (last: string) => `-- Owner: nobody.
-- No transaction: an index is built; concurrently.
CREATE TABLE IF NOT EXISTS alone (id int);
DROP INDEX CONCURRENTLY IF EXISTS alone_by_id;
CREATE INDEX CONCURRENTLY alone_by_id ON alone (id);
${last};
`
  const url = await emptyDatabase()
  writeFileSync(join(folder, next), sqlWith('SELECT 1/0'))
  await expect(migrate({ DATABASE_URL: url }, folder)).rejects.toThrow(`${next}: division by zero`)
  writeFileSync(join(folder, next), sqlWith('SELECT 1'))
  expect(await migrate({ DATABASE_URL: url }, folder)).toEqual([next])
})

test('a file that changed after it ran is refused', async () => {
  const folder = olderRelease(0)
  const url = await emptyDatabase()
  await migrate({ DATABASE_URL: url }, folder)
  writeFileSync(join(folder, names[0]!), 'SELECT 1')
  await expect(migrate({ DATABASE_URL: url }, folder)).rejects.toThrow('add a new migration instead')
})

test('a database that is ahead of the code is refused', async () => {
  const url = await emptyDatabase()
  await migrate({ DATABASE_URL: url }, migrationsFolder)
  await expect(migrate({ DATABASE_URL: url }, olderRelease(1))).rejects.toThrow('run the newer version')
})
