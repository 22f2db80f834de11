import { pinning } from '../../scripts/bench/one-core.ts'
import type { BenchContext, BenchResult, BenchRow } from '../../scripts/bench/scenario.ts'
import { planFrom, sizeName } from '../matcher/plan.ts'
import { runParse, runSet } from '../matcher/run-set.ts'

export { options, optionsHelp } from '../matcher/plan.ts'
export const description =
  'alerts against 1,000 to 1,000,000 rules on one core, beside json-rules-engine and Event Ruler'
export const needsStack = false

export async function run({ note, options }: BenchContext): Promise<BenchResult> {
  const plan = planFrom(options)
  const rows: BenchRow[] = []
  const failures: string[] = []
  const parsed = new Map<number, Awaited<ReturnType<typeof runParse>>>()
  for (const set of plan.sets) {
    if (plan.parse && !parsed.has(set.rules)) {
      note(`the alerts for ${set.rules.toLocaleString('en')} rules: JSON.parse`)
      parsed.set(set.rules, await runParse(set.rules, plan.effort))
      rows.push(...(parsed.get(set.rules)?.rows ?? []))
    }
    const outcome = await runSet(set, plan, parsed.get(set.rules)?.rates ?? {}, note)
    rows.push(...outcome.rows)
    failures.push(...outcome.failures)
  }
  return {
    figures: figuresIn(rows),
    rows,
    notes: `a second of processor time, medians of ${plan.effort.rounds} rounds, ${pinning}; how to read it: bench/README.md`,
    ...(failures.length > 0 ? { failure: failures.join('\n') } : {}),
  }
}

/** What budgets are written in: our own figures with small alerts, and the slowest of the kinds. */
function figuresIn(rows: readonly BenchRow[]): Record<string, number> {
  const ours = rows.filter(({ engine, alerts_per_s }) => engine === 'tocsin' && alerts_per_s !== null)
  const figures: Record<string, number> = {}
  for (const { rules, alerts_per_s } of ours.filter(({ set, alert_bytes }) => set === 'mixed' && alert_bytes === 330)) {
    figures[`mixed_${sizeName(Number(rules))}_alerts_per_s`] = Number(alerts_per_s)
  }
  const ofKinds = ours.filter(({ set }) => set !== 'mixed').map(({ alerts_per_s }) => Number(alerts_per_s))
  if (ofKinds.length > 0) figures.slowest_kind_alerts_per_s = Math.min(...ofKinds)
  return figures
}
