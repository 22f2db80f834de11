import { type Usage, usageOf } from '../../scripts/bench/process-usage.ts'
import type { StackDetails } from '../../scripts/supervisor/stack-status.ts'

/**
 * What each process of the stack has used so far. Nothing where the system does not tell; a server in a container has no
 * process of ours.
 */
export function stackUsage({ status, servers }: StackDetails, others: Readonly<Record<string, number>> = {}) {
  const pids = [...Object.entries(status.services), ...servers].flatMap(([name, { pid }]) =>
    pid === null ? [] : [[name, pid] as const],
  )
  return usageOf({ ...Object.fromEntries(pids), ...others })
}

export type StackUsage = Record<string, Usage> | undefined

/** Processor time between two looks, by process, the most first. */
export function cpuBetween(begun: StackUsage, end: StackUsage): [string, number][] {
  return Object.entries(end ?? {})
    .map(([name, { cpuS }]): [string, number] => [name, cpuS - (begun?.[name]?.cpuS ?? 0)])
    .toSorted(([, a], [, b]) => b - a)
}
