import type { StackClient } from '../cli/stack-client.ts'

export interface BenchContext {
  /** The running stack, with a key that may do everything. */
  readonly stack: StackClient
  /** A line about what goes on, for people who wait. */
  readonly note: (text: string) => void
}

export interface BenchResult {
  /** Names end in their unit: `burst_alerts_per_s`, `p95_ms`. */
  readonly figures: Readonly<Record<string, number>>
  readonly notes?: string
}

/** What a file in bench/scenarios exports. */
export interface Scenario {
  readonly description: string
  /** False for one that measures a part by itself; true when not said. */
  readonly needsStack?: boolean
  run(context: BenchContext): Promise<BenchResult>
}
