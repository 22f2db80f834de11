import { existsSync, mkdirSync, readdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
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
  const entries = existsSync(home.root) ? readdirSync(home.root) : []
  if (home.root !== toolsFolder && entries.length > 0 && !entries.includes('run')) {
    throw new CliError(`TOCSIN_HOME is ${home.root}, which has other things in it: choose an empty folder`, 2)
  }
  for (const folder of [home.run, home.data, home.logs]) mkdirSync(folder, { recursive: true })
}

export function logFileOf(home: Home, name: string): string {
  return join(home.logs, `${name}.log`)
}
