import { readFileSync } from 'node:fs'
import type { ConnectionOptions as TlsOptions } from 'node:tls'
import { AppError, messageOf } from '@tocsin/runtime/errors'
import type { PostgresSettings } from './settings.ts'

export type ConnectionSettings = Pick<PostgresSettings, 'DATABASE_URL' | 'DATABASE_TLS_CA'>

export interface ConnectionOptions {
  connectionString: string
  ssl: TlsOptions | false
}

/** Who asks for encryption gets all of it: no mode falls back to plain text or trusts whoever answers but the last. */
const verified = ['prefer', 'require', 'verify-ca', 'verify-full']
const modes = ['disable', ...verified, 'no-verify']
/** The older way to write it: `?ssl=true`. */
const modeOfFlag: Record<string, string> = { true: 'verify-full', 1: 'verify-full', false: 'disable', 0: 'disable' }

/**
 * What to connect with, for pools and migrations alike. The TLS parameters are taken out of the URL, because what pg
 * reads there replaces the `ssl` that it is given: the authority of DATABASE_TLS_CA would be dropped without a word.
 */
export function connectionOptions({ DATABASE_URL, DATABASE_TLS_CA }: ConnectionSettings): ConnectionOptions {
  const url = new URL(DATABASE_URL)
  const take = (name: string) => {
    const value = url.searchParams.get(name) ?? undefined
    url.searchParams.delete(name)
    return value
  }
  const [sslmode, flag, root] = [take('sslmode'), take('ssl'), take('sslrootcert')]
  const ssl: TlsOptions = {}
  for (const [option, file] of Object.entries({
    ca: DATABASE_TLS_CA ?? root,
    cert: take('sslcert'),
    key: take('sslkey'),
  })) {
    if (file !== undefined) ssl[option as 'ca' | 'cert' | 'key'] = pemIn(file)
  }
  const unknown = [...url.searchParams.keys()].find(name => name.startsWith('ssl'))
  if (unknown !== undefined) throw badSettings(`DATABASE_URL: ${unknown} is not supported`)
  const mode = sslmode ?? (flag && (modeOfFlag[flag] ?? flag)) ?? (ssl.ca ? 'verify-full' : 'disable')
  if (!modes.includes(mode)) throw badSettings(`DATABASE_URL: sslmode must be one of ${modes.join(', ')}`)
  if (ssl.ca && !verified.includes(mode)) {
    throw badSettings(`DATABASE_TLS_CA: a certificate authority is given, and sslmode=${mode} would not ask it`)
  }
  // Taking parameters out writes the rest anew; a URL without a query stays as it was given.
  const connectionString = DATABASE_URL.includes('?') ? url.href : DATABASE_URL
  if (mode === 'disable') return { connectionString, ssl: false }
  return { connectionString, ssl: { ...ssl, rejectUnauthorized: mode !== 'no-verify' } }
}

function pemIn(file: string): string {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    throw badSettings(`Postgres TLS: ${messageOf(error)}`)
  }
  if (text.includes('-----BEGIN ')) return text
  throw badSettings(`Postgres TLS: ${file} holds no PEM`)
}

const badSettings = (message: string) => new AppError('bad_settings', message)
