import { existsSync, mkdirSync, readdirSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { CliError } from './report.ts'

export const cloneFolder = resolve(import.meta.dirname, '..')

/** What belongs to the clone and is the same for every stack that runs from it: Node, Kafka's jars. */
export const toolsFolder = join(cloneFolder, '.tocsin')

/** One running stack: its data, its logs and what it knows of its processes. */
export interface Home {
  readonly root: string
  readonly data: string
  readonly logs: string
  readonly run: string
}

export function homeAt(folder: string): Home {
  const root = resolve(folder)
  return { root, data: join(root, 'data'), logs: join(root, 'logs'), run: join(root, 'run') }
}

/** Makes the folders. Refuses a folder that holds other things: `down --wipe` would delete `data` and `logs` in it. */
export function createHome(home: Home): void {
  try {
    makeFolder(home.root)
    const entries = readdirSync(home.root)
    if (home.root !== toolsFolder && entries.length > 0 && !entries.includes('run')) {
      throw new CliError(`TOCSIN_HOME is ${home.root}, which has other things in it: choose an empty folder`, 2)
    }
    for (const folder of [home.run, home.data, home.logs]) makeFolder(folder)
  } catch (error) {
    throw storageProblem(error, home) ?? error
  }
}

/** Not Node's recursive one: that tries for ever where the parent is there and still takes no folder, as in /proc. */
function makeFolder(folder: string): void {
  if (existsSync(folder)) return
  makeFolder(dirname(folder))
  try {
    mkdirSync(folder)
  } catch (error) {
    // Another command may be as quick as we are.
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
}

const storageProblems: Readonly<Record<string, string>> = {
  EACCES: 'it belongs to another user, or its rights do not allow it',
  EPERM: 'it belongs to another user, or its rights do not allow it',
  EROFS: 'its file system is read-only',
  ENOSPC: 'its disk is full',
  EDQUOT: 'the quota of its disk is used up',
  EEXIST: 'it is a file, or lies below one',
  ENOTDIR: 'it is a file, or lies below one',
  ENOENT: 'it is not there and cannot be made',
}

/** Of an error of the file system in the home, what is to be done about it; undefined for every other error. */
export function storageProblem(error: unknown, home: Home): CliError | undefined {
  // A write to a full disk does not name the file.
  const { code = '', path = code === 'ENOSPC' || code === 'EDQUOT' ? home.root : undefined } =
    error as NodeJS.ErrnoException
  const ours = path !== undefined && (path.startsWith(home.root) || home.root.startsWith(path))
  return ours && storageProblems[code] !== undefined
    ? unwritable(path, `${storageProblems[code]} (${code})`, error)
    : undefined
}

export function unwritable(path: string, reason: string, cause: unknown): CliError {
  const advice = 'Put that right, or set TOCSIN_HOME to a folder of your own'
  return new CliError(`${path} cannot be written: ${reason}. ${advice}`, 1, { cause })
}

export function logFileOf(home: Home, name: string): string {
  return join(home.logs, `${name}.log`)
}
