import { existsSync, readdirSync, readFileSync } from 'node:fs'

/** What a process and all that it started have used so far. */
export interface Usage {
  readonly cpuS: number
  readonly rssBytes: number
}

/** What /proc counts in: fixed by the kernel's interface, whatever the kernel itself counts in. */
const ticksPerS = 100
const pageBytes = 4_096

interface Process {
  readonly parent: number
  readonly ticks: number
  readonly pages: number
}

/** Undefined where there is no /proc, as on macOS. Postgres is many processes: those that have ended count too. */
export function usageOf(pids: Readonly<Record<string, number>>): Record<string, Usage> | undefined {
  if (!existsSync('/proc/self/stat')) return undefined
  const processes = readProcesses()
  const roots = new Map(Object.entries(pids).map(([name, pid]) => [pid, name]))
  const sums = new Map<string, { ticks: number; pages: number }>()
  for (const [pid, { ticks, pages }] of processes) {
    const name = ownerOf(pid, processes, roots)
    if (name === undefined) continue
    const sum = sums.get(name) ?? { ticks: 0, pages: 0 }
    sums.set(name, { ticks: sum.ticks + ticks, pages: sum.pages + pages })
  }
  return Object.fromEntries(
    Array.from(sums, ([name, { ticks, pages }]) => [name, { cpuS: ticks / ticksPerS, rssBytes: pages * pageBytes }]),
  )
}

function readProcesses(): Map<number, Process> {
  const processes = new Map<number, Process>()
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue
    try {
      const stat = readFileSync(`/proc/${entry}/stat`, 'utf8')
      // The second field is a name in brackets that may hold anything.
      const fields = stat
        .slice(stat.lastIndexOf(')') + 2)
        .split(' ')
        .map(Number)
      const [parent, utime, stime, cutime, cstime, pages] = [1, 11, 12, 13, 14, 21].map(at => fields[at]!)
      processes.set(Number(entry), { parent: parent!, ticks: utime! + stime! + cutime! + cstime!, pages: pages! })
    } catch {
      // It has ended since it was listed.
    }
  }
  return processes
}

function ownerOf(
  pid: number,
  processes: ReadonlyMap<number, Process>,
  roots: ReadonlyMap<number, string>,
): string | undefined {
  for (let at: number | undefined = pid; at !== undefined && at > 1; at = processes.get(at)?.parent) {
    const name = roots.get(at)
    if (name !== undefined) return name
  }
  return undefined
}
