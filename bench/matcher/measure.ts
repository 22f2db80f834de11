import { ruleIndex } from './rule.ts'

/** One engine with its rules: gives the ids of those that an alert, as JSON, matches. */
export type Match = (alert: string) => readonly string[] | Promise<readonly string[]>

export interface Effort {
  /** Of measuring, after the warm-up. */
  readonly seconds: number
  readonly warmUpSeconds: number
  readonly rounds: number
}

export interface Measured {
  /** Alerts a second of processor time, one figure a round. */
  readonly rates: readonly number[]
  /** What the first alerts match, in few characters each: engines that agree have the same. */
  readonly digests: readonly string[]
}

/** The matches of so many alerts are compared, or of as many as an engine can do in that time. */
export const comparedAlerts = 2_000
const comparedWithinMs = 5_000

/**
 * Processor time of all threads of this process. Besides wall time being at the mercy of whatever else the machine does,
 * it charges an engine for its garbage collector. On an idle core it is the same.
 */
export function processorSeconds(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1e6
}

export async function measure(match: Match, alerts: readonly string[], effort: Effort): Promise<Measured> {
  const digests: string[] = []
  const startedAt = performance.now()
  for (const alert of alerts.slice(0, comparedAlerts)) {
    digests.push(digest(await match(alert)))
    if (performance.now() - startedAt > comparedWithinMs) break
  }
  const loop = endless(match, alerts)
  const expectedRate = await loop(effort.warmUpSeconds, 1)
  // Asking for the time costs about a microsecond; every 5 ms it does not matter.
  const block = Math.min(Math.max(Math.round(expectedRate * 0.005), 1), 4_096)
  const rates: number[] = []
  while (rates.length < effort.rounds) rates.push(await loop(effort.seconds / effort.rounds, block))
  return { rates, digests }
}

/** Matches alert after alert, from the first again after the last. Each call goes on where the one before stopped. */
function endless(match: Match, alerts: readonly string[]) {
  let position = 0
  let matches = 0
  return async (seconds: number, block: number): Promise<number> => {
    const startedAt = processorSeconds()
    for (let done = block, took: number; ; done += block) {
      for (let index = 0; index < block; index++) {
        const found = match(alerts[position]!)
        // An await costs more than the match of a fast engine, so only those that need it are awaited.
        matches += (found instanceof Promise ? await found : found).length
        position = (position + 1) % alerts.length
      }
      took = processorSeconds() - startedAt
      // Asked so that nobody can do without the matches.
      if (matches < 0) throw new Error('fewer than no matches')
      if (took >= seconds) return done / took
    }
  }
}

/** How many rules, and the sum of their numbers, which no other rules of that count are likely to have. */
function digest(ids: readonly string[]): string {
  return `${ids.length}:${ids.reduce((sum, id) => sum + ruleIndex(id), 0)}`
}

export const matchesIn = (digests: readonly string[]) =>
  digests.reduce((sum, one) => sum + Number.parseInt(one, 10), 0) / digests.length
