import type { Options } from '../cli/command.ts'
import type { StackClient } from '../cli/stack-client.ts'
import type { StackDetails } from '../supervisor/stack-status.ts'

export interface BenchContext {
  /** The running stack, with a key that may do everything. */
  readonly stack: StackClient
  /** Its processes, and where each listens. */
  readonly inspect: () => Promise<StackDetails>
  /** A line about what goes on, for people who wait. */
  readonly note: (text: string) => void
  /** What was given of the scenario's own options. */
  readonly options: Readonly<Record<string, unknown>>
}

/** A line of a table, by column. Names end in their unit; null is what there is nothing to say about. */
export type BenchRow = Readonly<Record<string, string | number | null>>

export interface BenchResult {
  /** Names end in their unit: `burst_alerts_per_s`, `p95_ms`. */
  readonly figures: Readonly<Record<string, number>>
  /** For a scenario that measures the same of many things. All have the same columns. */
  readonly rows?: readonly BenchRow[]
  readonly notes?: string
  /** Why the figures must not be believed. They are shown and kept, and the command fails. */
  readonly failure?: string
}

/** What a file in bench/scenarios exports. */
export interface Scenario {
  readonly description: string
  /** False for one that measures a part by itself; true when not said. */
  readonly needsStack?: boolean
  /** Options beside those of every scenario, and their lines for the help. */
  readonly options?: Options
  readonly optionsHelp?: string
  run(context: BenchContext): Promise<BenchResult>
}
