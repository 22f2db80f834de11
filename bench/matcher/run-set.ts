import { join } from 'node:path'
import { runOnOneCore } from '../../scripts/bench/one-core.ts'
import type { BenchRow } from '../../scripts/bench/scenario.ts'
import { type AlertSize, alertSizes } from './alerts.ts'
import { LeftOut, runEventRuler } from './event-ruler.ts'
import { type Effort, matchesIn } from './measure.ts'
import type { NodeJob, Outcome } from './node-run.ts'
import { alertBytes, type ComparedEngine, type EngineName, type Plan, type PlannedSet } from './plan.ts'

/** Enough that a processor's caches do not hold the paths of them all. */
const alertsInCorpus = 20_000

/** One engine that was to run on a set: what came of it, or why nothing did. */
interface Run {
  readonly engine: EngineName
  readonly outcome?: Outcome
  remark: string
  failed: boolean
}

export interface SetRows {
  readonly rows: readonly BenchRow[]
  readonly failures: readonly string[]
}

/** What parsing the alerts of a fleet costs, without any rules: the other engines in JavaScript cannot be faster. */
export async function runParse(rules: number, effort: Effort): Promise<{ rows: BenchRow[]; rates: ParseRates }> {
  const set = { kind: 'no rules', rules, sizes: alertSizes, engines: [] }
  const outcome = await runNode({ ...jobFor(set), load: 0, effort, engine: 'parse' })
  const rates = Object.fromEntries(alertSizes.map((size, position) => [size, rateOf(outcome, position)]))
  const run = { engine: 'parse', outcome, remark: '', failed: false } as const
  return { rows: alertSizes.map((_, position) => rowOf(run, { set, position })), rates }
}

type ParseRates = Readonly<Partial<Record<AlertSize, number | null>>>

export async function runSet(set: PlannedSet, plan: Plan, parse: ParseRates, note: Note): Promise<SetRows> {
  const runs: Run[] = []
  for (const engine of set.engines) {
    note(`${set.kind}, ${set.rules.toLocaleString('en')} rules: ${engine}`)
    runs.push(await runEngine(engine, set, plan))
  }
  await compare(runs, set)
  const ruler = runs.find(({ engine }) => engine === 'event-ruler')?.outcome
  const rows = set.sizes.flatMap((size, position) => {
    const bases = { parse: parse[size] ?? null, ruler: rateOf(ruler, position) }
    return runs.map(run => rowOf(run, { set, position, bases }))
  })
  const failures = runs.filter(({ failed }) => failed)
  return {
    rows,
    failures: failures.map(({ engine, remark }) => `${set.kind}, ${set.rules} rules, ${engine}: ${remark}`),
  }
}

type Note = (text: string) => void

async function runEngine(engine: ComparedEngine, set: PlannedSet, plan: Plan): Promise<Run> {
  const job = { ...jobFor(set), effort: plan.effort }
  try {
    if (engine !== 'event-ruler')
      return { engine, outcome: await runNode({ ...job, engine }), remark: '', failed: false }
    const outcome = await runEventRuler(job, plan.rulerSeconds)
    const stopped = `loading stopped after ${plan.rulerSeconds} s: all of this row is with ${outcome.loaded} rules`
    return { engine, outcome, remark: outcome.loaded < set.rules ? stopped : '', failed: false }
  } catch (error) {
    const { message } = error as Error
    return { engine, remark: message, failed: !(error instanceof LeftOut) }
  }
}

const jobFor = ({ kind, rules, sizes }: PlannedSet) => ({
  kind,
  rules,
  load: rules,
  alerts: { sizes, count: alertsInCorpus },
})

async function runNode(job: NodeJob): Promise<Outcome> {
  const script = join(import.meta.dirname, 'node-run.ts')
  const args = ['--expose-gc', '--max-old-space-size=8192', script, JSON.stringify(job)]
  return JSON.parse(await runOnOneCore(process.execPath, args, 1_800_000)) as Outcome
}

/**
 * The engines must agree on every alert that both have done, or the figures compare different work. Ours is what the
 * others are held against; one that has loaded fewer rules is held against ours with just those.
 */
async function compare(runs: readonly Run[], set: PlannedSet): Promise<void> {
  const ours = runs.find(({ engine }) => engine === 'tocsin')?.outcome
  if (ours === undefined) return
  for (const run of runs) {
    const { engine, outcome } = run
    if (outcome === undefined || engine === 'tocsin') continue
    const difference = await differenceFromOurs(outcome, ours, set).catch(error => `not comparable: ${error.message}`)
    if (difference === undefined) continue
    run.remark = [`MISMATCH: ${difference}`, run.remark].filter(text => text !== '').join('; ')
    run.failed = true
  }
}

async function differenceFromOurs(outcome: Outcome, ours: Outcome, set: PlannedSet): Promise<string | undefined> {
  return firstDifference(outcome, outcome.loaded === ours.loaded ? ours : await oursWith(outcome.loaded, set))
}

function oursWith(load: number, set: PlannedSet): Promise<Outcome> {
  const effort = { seconds: 0, warmUpSeconds: 0, rounds: 0 }
  return runNode({ ...jobFor(set), engine: 'tocsin', load, effort })
}

export function firstDifference(outcome: Outcome, ours: Outcome): string | undefined {
  for (const [position, { digests }] of outcome.corpora.entries()) {
    for (const [index, digest] of digests.entries()) {
      const own = ours.corpora[position]?.digests[index]
      if (own === undefined || own === digest) continue
      const [matches, ownMatches] = [digest, own].map(text => text.split(':')[0])
      return `alert ${index} matches ${matches} rules here, ${ownMatches} in tocsin, or others`
    }
  }
  return undefined
}

interface Place {
  readonly set: PlannedSet
  /** Of the alert size among those of the set. */
  readonly position: number
  /** What the ratios are to. */
  readonly bases?: { readonly parse: number | null; readonly ruler: number | null }
}

function rowOf({ engine, outcome, remark }: Run, { set, position, bases }: Place): BenchRow {
  const rate = rateOf(outcome, position)
  const withRules = engine === 'parse' ? undefined : outcome
  return {
    set: set.kind,
    rules: set.rules,
    alert_bytes: alertBytes[set.sizes[position]!],
    engine,
    alerts_per_s: rate,
    of_parse: ratio(rate, bases?.parse),
    of_event_ruler: ratio(rate, bases?.ruler),
    matches_per_alert: withRules === undefined ? null : matchesIn(withRules.corpora[position]?.digests ?? []),
    load_s: withRules?.loadS ?? null,
    bytes_per_rule: engine === 'tocsin' ? (outcome?.bytesPerRule ?? null) : null,
    remark,
  }
}

function rateOf(outcome: Outcome | undefined, position: number): number | null {
  const rates = outcome?.corpora[position]?.rates.toSorted((a, b) => a - b)
  return rates?.[Math.floor(rates.length / 2)] ?? null
}

const ratio = (rate: number | null, base: number | null | undefined) =>
  rate === null || base === null || base === undefined ? null : rate / base
