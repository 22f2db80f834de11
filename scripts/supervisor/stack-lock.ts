import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { messageOf } from '@tocsin/runtime/errors'
import { type Home, unwritable } from '../home.ts'

const sqliteBusy = 5

/**
 * One supervisor per home. SQLite's is the one lock that Node gives us which the kernel holds: it ends with the process,
 * however that ends, so a stale one cannot exist. Undefined when another process has it.
 */
export function acquireStackLock(home: Home): Disposable | undefined {
  const database = open(join(home.run, 'lock'))
  try {
    database.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE')
    return { [Symbol.dispose]: () => database.close() }
  } catch (error) {
    database.close()
    if ((error as { errcode?: number }).errcode === sqliteBusy) return undefined
    throw unwritable(join(home.run, 'lock'), messageOf(error), error)
  }
}

function open(file: string): DatabaseSync {
  try {
    return new DatabaseSync(file, { timeout: 0 })
  } catch (error) {
    throw unwritable(file, messageOf(error), error)
  }
}
