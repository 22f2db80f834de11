import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { Home } from '../home.ts'

const sqliteBusy = 5

/**
 * One supervisor per home. SQLite's is the one lock that Node gives us which the kernel holds: it ends with the process,
 * however that ends, so a stale one cannot exist. Undefined when another process has it.
 */
export function acquireStackLock(home: Home): Disposable | undefined {
  const database = new DatabaseSync(join(home.run, 'lock'), { timeout: 0 })
  try {
    database.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE')
    return { [Symbol.dispose]: () => database.close() }
  } catch (error) {
    database.close()
    if ((error as { errcode?: number }).errcode === sqliteBusy) return undefined
    throw error
  }
}
