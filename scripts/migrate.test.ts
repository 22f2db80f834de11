import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'

/** What `npm run migrate` does with this environment and nothing else of ours. */
function migrate(env: Record<string, string>, ...args: string[]) {
  const { DATABASE_URL: _, DATABASE_TLS_CA: __, ...others } = process.env
  const options = { env: { ...others, ...env }, encoding: 'utf8' } as const
  return spawnSync(process.execPath, [join(import.meta.dirname, 'migrate.ts'), ...args], options)
}

describe('migrate', () => {
  it('says what it does and needs', () => {
    const { status, stdout } = migrate({}, '--help')
    expect(status).toBe(0)
    expect(stdout).toContain('DATABASE_URL')
  })

  it.each([
    ['no database', {}, [], 'DATABASE_URL is not set'],
    ['an empty one', { DATABASE_URL: '' }, [], 'DATABASE_URL is not set'],
    ['a URL of something else', { DATABASE_URL: 'mysql://localhost/x' }, [], 'DATABASE_URL must be a postgres:// URL'],
    ['TLS that cannot be', { DATABASE_URL: 'postgres://localhost/x?sslmode=maybe' }, [], 'sslmode must be one of'],
    ['an unknown option', { DATABASE_URL: 'postgres://localhost/x' }, ['--dry-run'], '--dry-run'],
  ])('exit 2 for %s', (_, env, args, message) => {
    const { status, stderr } = migrate(env as Record<string, string>, ...args)
    expect(stderr).toContain(message)
    expect(status).toBe(2)
  })

  it('exit 1 with the reason, and no stack, when the database cannot be reached', () => {
    const { status, stderr } = migrate({ DATABASE_URL: 'postgres://tocsin@127.0.0.1:9/tocsin' })
    expect([status, stderr.trim()]).toEqual([1, 'connect ECONNREFUSED 127.0.0.1:9'])
  })
})
