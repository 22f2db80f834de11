import { mkdirSync } from 'node:fs'
import { join, resolve } from 'node:path'

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

export function createHome(home: Home): void {
  for (const folder of [home.root, home.data, home.logs, home.run]) mkdirSync(folder, { recursive: true })
}

export function logFileOf(home: Home, name: string): string {
  return join(home.logs, `${name}.log`)
}
