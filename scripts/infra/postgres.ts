import { chmodSync, chownSync, cpSync, existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { logFileOf } from '../home.ts'
import { type InfraPart, type PartContext, processPart } from './infra-part.ts'
import type { InfraPorts } from './infra-ports.ts'
import { loopback } from './ports.ts'
import { releaseStaleLock } from './postgres-lock.ts'
import { findPostgresPlace, type PostgresPlace } from './postgres-place.ts'
import { postgresAnswers } from './probes.ts'
import { runCommand } from './run-command.ts'

const account = 'tocsin'

/** For servers whose data nobody will miss. */
export const noDurability = ['fsync=off', 'synchronous_commit=off', 'full_page_writes=off']

export function embeddedPostgres(context: PartContext, { postgres: port }: InfraPorts): InfraPart {
  const { home, fsync, env } = context
  return processPart(
    {
      name: 'postgres',
      title: `embedded on port ${port}`,
      port,
      settings: { DATABASE_URL: `postgres://${account}:${account}@${loopback}:${port}/${account}` },
      async prepare() {
        const place = findPostgresPlace(home)
        await createCluster(place, context)
        releaseStaleLock(place.data)
        return {
          name: 'postgres',
          command: join(place.binaries, 'bin/postgres'),
          args: ['-D', place.data, ...serverSettings(port, fsync)],
          env,
          user: place.user,
          cwd: '/',
          logFile: logFileOf(home, 'postgres'),
          // "Fast": sessions are ended and a checkpoint is written. "Immediate" (recovery at the next start) if that hangs.
          stopSteps: [
            { signal: 'SIGINT', graceMs: 20_000 },
            { signal: 'SIGQUIT', graceMs: 5_000 },
          ],
        }
      },
      answers: () => postgresAnswers({ host: loopback, port }),
    },
    context,
  )
}

function serverSettings(port: number, fsync: boolean): string[] {
  const settings = {
    port,
    listen_addresses: loopback,
    // A socket file would need a folder that this user may write to, and nobody connects that way.
    unix_socket_directories: '',
    // Six services with pools of ten, as many again for tests and benchmarks, and room for psql.
    max_connections: 300,
    shared_buffers: '256MB',
    // Nine partitions write at once: in the 8 MB that come with these buffers they wait for each other.
    wal_buffers: '32MB',
    max_wal_size: '4GB',
    // Short statements only: compiling them costs more than it saves.
    jit: 'off',
    log_checkpoints: 'off',
  }
  const assignments = Object.entries(settings).map(([name, value]) => `${name}=${value}`)
  return [...assignments, ...(fsync ? [] : noDurability)].flatMap(assignment => ['-c', assignment])
}

/** Made beside its place and moved there whole, so that an interrupted start leaves nothing half-made. */
async function createCluster({ binaries, data, user }: PostgresPlace, { fsync, signal }: PartContext): Promise<void> {
  if (existsSync(join(data, 'PG_VERSION'))) return
  const draft = `${data}.partial`
  rmSync(draft, { recursive: true, force: true })
  mkdirSync(draft, { mode: 0o700 })
  if (user) chownSync(draft, user.uid, user.gid)
  const locale = ['--encoding=UTF8', '--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8']
  const access = [`--username=${account}`, '--auth-local=trust', '--auth-host=scram-sha-256']
  const options = { user, cwd: '/', signal }
  const sync = fsync ? [] : ['--no-sync']
  using programs = programsForShell(binaries)
  await runCommand(join(programs.folder, 'bin/initdb'), ['-D', draft, ...locale, ...access, ...sync], options)
  await runCommand(join(binaries, 'bin/postgres'), ['--single', '-D', draft, 'postgres'], {
    ...options,
    input: `ALTER ROLE ${account} PASSWORD '${account}'\nCREATE DATABASE ${account}\n`,
  })
  renameSync(draft, data)
}

/** initdb has a shell start the server's program, by its path in double quotes; there these are not themselves. */
const changedByShell = /["$`\\]/

/** The programs where a shell can name them: in a copy for this one time when the clone's path is not for shells. */
function programsForShell(binaries: string): { readonly folder: string } & Disposable {
  if (!changedByShell.test(binaries)) return { folder: binaries, [Symbol.dispose]: () => {} }
  const folder = mkdtempSync(join(tmpdir(), 'tocsin-initdb-'))
  chmodSync(folder, 0o755)
  cpSync(binaries, folder, { recursive: true, verbatimSymlinks: true })
  return { folder, [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }) }
}
