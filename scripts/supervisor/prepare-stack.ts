import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createKafka } from '@tocsin/kafka/client'
import { kafkaSettings } from '@tocsin/kafka/settings'
import { createTopics } from '@tocsin/kafka/topics'
import { newApiKey, saveApiKey } from '@tocsin/postgres/api-keys'
import { Database } from '@tocsin/postgres/database'
import { migrate } from '@tocsin/postgres/migrate'
import { postgresSettings } from '@tocsin/postgres/settings'
import { parseSettings, type Settings, type SettingsShape } from '@tocsin/runtime/config'
import { createLogger } from '@tocsin/runtime/logger'
import { cloneFolder, type Home } from '../home.ts'
import { CliError, type Report } from '../report.ts'

export const migrationsFolder = join(cloneFolder, 'migrations')

/** The key of whoever runs this stack, kept so that it stays the same; Postgres has its hash. */
export function readAdminKey(home: Home): string | undefined {
  const file = adminKeyFile(home)
  return existsSync(file) ? readFileSync(file, 'utf8').trim() : undefined
}

/** What must be in the servers before a service starts. `env` is that of a service: the same settings, the same prefix. */
export async function prepareStack(home: Home, env: NodeJS.ProcessEnv, report: Report): Promise<string> {
  const [adminKey] = await Promise.all([prepareDatabase(home, env, report), prepareTopics(env)])
  return adminKey
}

async function prepareDatabase(home: Home, env: NodeJS.ProcessEnv, report: Report): Promise<string> {
  const settings = settingsIn(postgresSettings, env)
  const applied = await migrate(settings, migrationsFolder)
  if (applied.length > 0) report('migrations', applied.join(', '))
  const adminKey = readAdminKey(home) ?? createAdminKey(home)
  const database = new Database(settings, createLogger('supervisor', 'silent'))
  try {
    await saveApiKey(database, adminKey, { key_id: 'key_admin', name: 'admin' })
  } finally {
    await database.close()
  }
  return adminKey
}

async function prepareTopics(env: NodeJS.ProcessEnv): Promise<void> {
  const log = createLogger('supervisor', 'silent')
  await createTopics(createKafka(settingsIn(kafkaSettings, env), { clientId: 'tocsin-up', log }))
}

function settingsIn<Shape extends SettingsShape>(shape: Shape, env: NodeJS.ProcessEnv): Settings<Shape> {
  const result = parseSettings(shape, env)
  if ('settings' in result) return result.settings
  const problems = result.problems.map(({ setting, message }) => `    ${setting}: ${message}`)
  throw new CliError(`These settings are wrong:\n${problems.join('\n')}`, 2)
}

function adminKeyFile(home: Home): string {
  return join(home.data, 'admin-key')
}

function createAdminKey(home: Home): string {
  const key = newApiKey()
  writeFileSync(adminKeyFile(home), `${key}\n`, { mode: 0o600 })
  return key
}
