import { type Options, UsageError, wholeNumber } from '../../scripts/cli/command.ts'
import type { AlertSize } from './alerts.ts'
import type { Effort } from './measure.ts'
import { alertSizesFor, kinds } from './rule-sets.ts'

export const engines = ['parse', 'json-rules-engine', 'event-ruler', 'tocsin'] as const
export type EngineName = (typeof engines)[number]

export const options: Options = {
  sizes: { type: 'string' },
  kinds: { type: 'string' },
  engines: { type: 'string' },
  seconds: { type: 'string' },
  'ruler-seconds': { type: 'string' },
  full: { type: 'boolean' },
}

export const optionsHelp = `  --sizes LIST         rules in a set: any of 1k,10k,100k,1M (mixed: 1k,10k,100k; the other kinds: 10k)
  --kinds LIST         mixed and, for sets of one operator each, ${kinds.slice(1, 6).join(', ')}…: see bench/README.md
  --engines LIST       of ${engines.join(', ')}; those named run on every set,
                       not only where they end soon
  --seconds N          how long each figure is measured (1)
  --ruler-seconds N    how long Event Ruler may load rules (120)
  --full               also 1M mixed rules, and Event Ruler on 100k of them and on every kind; measures longer
`

/** One rule set, and what is to be measured on it. */
export interface PlannedSet {
  readonly kind: string
  readonly rules: number
  readonly sizes: readonly AlertSize[]
  readonly engines: readonly ComparedEngine[]
}

/** `JSON.parse` runs on the alerts of a fleet, whatever the rules; it is measured once for sets of the same size. */
export type ComparedEngine = Exclude<EngineName, 'parse'>

export interface Plan {
  readonly sets: readonly PlannedSet[]
  readonly parse: boolean
  readonly effort: Effort
  readonly rulerSeconds: number
}

export function planFrom(values: Readonly<Record<string, unknown>>): Plan {
  const full = values.full === true
  const seconds = wholeNumber('seconds', values.seconds, { min: 1, max: 600 }) ?? (full ? 5 : 1)
  const chosenEngines = listOf('engines', values.engines, engines)
  const chosenKinds = listOf('kinds', values.kinds, kinds) ?? kinds
  const sizes = listOf('sizes', values.sizes, Object.keys(sizeNames))?.map(name => sizeNames[name]!)
  const sets = chosenKinds.flatMap(kind =>
    (sizes ?? usualSizes(kind, full)).map(rules => ({
      kind,
      rules,
      sizes: alertSizesFor(kind),
      engines: compared.filter(engine => chosenEngines?.includes(engine) ?? endsSoon(engine, kind, rules, full)),
    })),
  )
  return {
    sets,
    parse: chosenEngines?.includes('parse') ?? true,
    effort: { seconds, warmUpSeconds: seconds / 2, rounds: 5 },
    rulerSeconds: wholeNumber('ruler-seconds', values['ruler-seconds'], { min: 1, max: 36_000 }) ?? 120,
  }
}

const compared = engines.filter(engine => engine !== 'parse')

const sizeNames: Readonly<Record<string, number>> = { '1k': 1_000, '10k': 10_000, '100k': 100_000, '1M': 1_000_000 }

export function sizeName(rules: number): string {
  return Object.keys(sizeNames).find(name => sizeNames[name] === rules) ?? String(rules)
}

function usualSizes(kind: string, full: boolean): number[] {
  if (kind !== 'mixed') return [10_000]
  return [1_000, 10_000, 100_000, ...(full ? [1_000_000] : [])]
}

/** Both peers load and match so slowly that they would take most of the time of a run that has them everywhere. */
function endsSoon(engine: ComparedEngine, kind: string, rules: number, full: boolean): boolean {
  if (engine === 'json-rules-engine') return kind === 'mixed' && rules <= 10_000
  if (engine === 'event-ruler') return full ? rules <= 100_000 : kind === 'mixed' && rules <= 10_000
  return true
}

function listOf<Word extends string>(
  option: string,
  value: unknown,
  words: readonly Word[],
): readonly Word[] | undefined {
  if (value === undefined) return undefined
  const given = String(value).split(',')
  const unknown = given.find(one => !words.some(word => word === one))
  if (unknown !== undefined) throw new UsageError(`--${option}: ${unknown} is none of ${words.join(', ')}`)
  return words.filter(word => given.includes(word))
}

/** How many bytes an alert of a size has, roughly, for the table. */
export const alertBytes: Readonly<Record<AlertSize, number>> = { small: 330, large: 900 }
