import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { readMigrations } from './migrate.ts'

function folderWith(...files: string[]): string {
  const folder = mkdtempSync(join(tmpdir(), 'tocsin-migrations-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  for (const file of files) writeFileSync(join(folder, file), 'SELECT 1')
  return folder
}

it('reads the files in the order of their numbers', () => {
  const names = readMigrations(folderWith('0002_b.sql', '0001_a.sql', 'README.md')).map(migration => migration.name)
  expect(names).toEqual(['0001_a.sql', '0002_b.sql'])
})

it.each([
  [['0001_a.sql', '0001_b.sql'], '0001_b.sql'],
  [['0001_a.sql', '0003_c.sql'], '0003_c.sql'],
  [['0001_a.sql', 'second.sql'], 'second.sql'],
])('refuses %j: numbers are unique and without gaps', (files, culprit) => {
  expect(() => readMigrations(folderWith(...files))).toThrow(culprit)
})

it("the product's own migrations can be read", () => {
  expect(readMigrations(join(import.meta.dirname, '../../../migrations')).length).toBeGreaterThan(0)
})
