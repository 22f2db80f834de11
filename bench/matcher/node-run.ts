// Measures one engine with one rule set, alone in its process, so that no engine's heap or compiled code is in another's
// way. The job is the argument, the outcome is the one line on stdout. Needs --expose-gc.
import { setImmediate as nextTurn } from 'node:timers/promises'
import { type AlertSize, alertTexts } from './alerts.ts'
import { type NodeEngine, nodeEngines } from './engines.ts'
import { fleetFor } from './fleet.ts'
import { type Effort, type Measured, measure, processorSeconds } from './measure.ts'
import { rulesOf } from './rule-sets.ts'

export interface NodeJob {
  readonly engine: keyof typeof nodeEngines
  readonly kind: string
  /** Of the set, which decides what its rules and alerts look like. */
  readonly rules: number
  /** How many of them are loaded. */
  readonly load: number
  readonly alerts: { readonly sizes: readonly AlertSize[]; readonly count: number }
  readonly effort: Effort
}

export interface Outcome {
  readonly loaded: number
  readonly loadS: number
  readonly bytesPerRule?: number
  /** In the order of the job's alert sizes. */
  readonly corpora: readonly Measured[]
}

export async function run({ engine: name, kind, rules, load, alerts, effort }: NodeJob): Promise<Outcome> {
  const engine = nodeEngines[name]()
  const before = await usedBytes()
  const loadS = addAll(engine, kind, rules, load)
  const bytesPerRule = ((await usedBytes()) - before) / load
  const corpora: Measured[] = []
  for (const size of alerts.sizes) {
    corpora.push(await measure(engine.match, alertTexts(fleetFor(rules), size, alerts.count), effort))
  }
  return { loaded: load, loadS, bytesPerRule, corpora }
}

const chunk = 1_000

/**
 * Processor seconds from rules as JSON to rules that match. They are made some at a time, outside the measured time;
 * parsed, and not handed over as made, because objects that share their texts would look smaller than real ones.
 */
function addAll(engine: NodeEngine, kind: string, rules: number, load: number): number {
  let took = 0
  let texts: [id: string, conditions: string][] = []
  const flush = () => {
    const startedAt = processorSeconds()
    for (const [id, conditions] of texts) engine.add(id, conditions)
    took += processorSeconds() - startedAt
    texts = []
  }
  for (const { id, conditions } of rulesOf(kind, rules, load)) {
    texts.push([id, JSON.stringify(conditions)])
    if (texts.length === chunk) flush()
  }
  flush()
  return took
}

/** On the heap and in buffers beside it, after everything that nobody needs is gone. */
async function usedBytes(): Promise<number> {
  for (let pass = 0; pass < 3; pass++) {
    globalThis.gc?.()
    await nextTurn()
  }
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

if (import.meta.main) console.log(JSON.stringify(await run(JSON.parse(process.argv[2]!))))
