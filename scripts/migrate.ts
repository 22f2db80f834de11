// Brings the database of DATABASE_URL to this version's schema. `./tocsin up` does the same for the system that it starts.
import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { migrate } from '@tocsin/postgres/migrate'
import { postgresSettings } from '@tocsin/postgres/settings'
import { parseSettings } from '@tocsin/runtime/config'
import { AppError, messageOf } from '@tocsin/runtime/errors'

const help = `Usage: npm run migrate

Applies the migrations that the database does not have yet, and says which. Run it before the services of a new version
start; the services of the version before work on with what it changes. Several at once wait for each other.

  DATABASE_URL     the database; needed
  DATABASE_TLS_CA  PEM file of the authority that signed its certificate; turns TLS on

Exit code 0: the database is up to date. 1: it is not, for the reason told. 2: the settings or arguments are wrong.
`

class WrongUse extends Error {}

async function run(env: NodeJS.ProcessEnv): Promise<void> {
  // A default would be the wrong database as soon as somebody mistypes the name of the variable.
  if (!env.DATABASE_URL) throw new WrongUse('DATABASE_URL is not set: which database?')
  const parsed = parseSettings(postgresSettings, env)
  if ('problems' in parsed) {
    throw new WrongUse(parsed.problems.map(({ setting, message }) => `${setting} ${message}`).join('\n'))
  }
  const applied = await migrate(parsed.settings, resolve(import.meta.dirname, '../migrations'))
  for (const name of applied) console.log(`applied ${name}`)
  if (applied.length === 0) console.log('up to date: there was nothing to apply')
}

function wantsHelp(): boolean {
  try {
    return parseArgs({ options: { help: { type: 'boolean', short: 'h' } } }).values.help === true
  } catch (error) {
    throw new WrongUse(messageOf(error))
  }
}

try {
  if (wantsHelp()) console.log(help)
  else await run(process.env)
} catch (error) {
  console.error(messageOf(error))
  const isWrongUse = error instanceof WrongUse || (error instanceof AppError && error.code === 'bad_settings')
  process.exitCode = isWrongUse ? 2 : 1
}
