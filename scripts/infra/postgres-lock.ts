import { existsSync, readFileSync, readlinkSync, realpathSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { identify } from '../processes/process-identity.ts'

/**
 * Postgres does not start while the process that `postmaster.pid` names can be signalled, and that is also true of a zombie
 * whose parent has not asked for it yet, and of a stranger that was given the pid. Of a file that names its own parent, which
 * we shall be, Postgres knows that it is stale. It is not deleted: what else is in it shows Postgres whether sessions of the
 * old one still have its memory.
 */
export function releaseStaleLock(data: string): void {
  const file = join(data, 'postmaster.pid')
  if (!existsSync(file)) return
  const [pid, ...others] = readFileSync(file, 'utf8').split('\n')
  if (!mayBePostgresOf(data, Number(pid))) writeFileSync(file, [process.pid, ...others].join('\n'))
}

/** A Postgres works in its data folder. When we cannot see where a process works, Postgres is to judge. */
function mayBePostgresOf(data: string, pid: number): boolean {
  if (identify(pid) === undefined) return false
  try {
    return readlinkSync(`/proc/${pid}/cwd`) === realpathSync(data)
  } catch {
    return true
  }
}
