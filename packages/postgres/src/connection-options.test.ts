import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { connectionOptions } from './connection-options.ts'

const file = join(import.meta.dirname, '../test/tls/certificate.pem')
const ca = readFileSync(file, 'utf8')
const url = 'postgres://me:p%40ss@db.example.org:5432/tocsin'
const optionsOf = (query: string, DATABASE_TLS_CA?: string) =>
  connectionOptions({ DATABASE_URL: url + query, DATABASE_TLS_CA })

describe('connectionOptions', () => {
  it('is plain unless told, and leaves the URL alone', () => {
    expect(optionsOf('')).toEqual({ connectionString: url, ssl: false })
    expect(optionsOf('?sslmode=disable')).toEqual({ connectionString: url, ssl: false })
    expect(optionsOf('?ssl=false')).toEqual({ connectionString: url, ssl: false })
    expect(optionsOf('?options=-c%20search_path%3Dx').connectionString).toContain('search_path')
  })

  it.each(['?sslmode=verify-full', '?sslmode=require', '?sslmode=prefer', '?ssl=true', ''])(
    'checks the certificate against the given authority with "%s"',
    query => {
      expect(optionsOf(query, file)).toEqual({ connectionString: url, ssl: { ca, rejectUnauthorized: true } })
    },
  )

  it('checks against the known authorities when none is given, and nothing only when asked so', () => {
    expect(optionsOf('?sslmode=verify-full').ssl).toEqual({ rejectUnauthorized: true })
    expect(optionsOf('?sslmode=no-verify').ssl).toEqual({ rejectUnauthorized: false })
  })

  it('takes the files that a URL names, as libpq does', () => {
    const { connectionString, ssl } = optionsOf(
      `?sslrootcert=${file}&sslcert=${file}&sslkey=${file}&application_name=x`,
    )
    expect(connectionString).toBe(`${url}?application_name=x`)
    expect(ssl).toEqual({ ca, cert: ca, key: ca, rejectUnauthorized: true })
  })

  it.each([
    ['?sslmode=disable', file, /DATABASE_TLS_CA.*sslmode=disable/],
    ['?sslmode=no-verify', file, /DATABASE_TLS_CA.*sslmode=no-verify/],
    ['?sslmode=verify', undefined, /sslmode must be one of disable, /],
    ['?ssl=yes', undefined, /sslmode must be one of/],
    ['?sslnegotiation=direct', undefined, /sslnegotiation is not supported/],
    ['', '/no/such/ca.pem', /ENOENT.*ca.pem/],
    ['', import.meta.filename, /holds no PEM/],
  ])('refuses "%s" with %s rather than connect with less than was asked for', (query, authority, message) => {
    expect(() => optionsOf(query, authority)).toThrow(message)
  })
})
