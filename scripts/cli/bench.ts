import { existsSync, globSync, mkdirSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { type Circumstances, describeCircumstances } from '../bench/machine.ts'
import type { BenchResult, Scenario } from '../bench/scenario.ts'
import { readable, tableOf } from '../bench/table.ts'
import { cloneFolder, type Home } from '../home.ts'
import { CliError, seconds } from '../report.ts'
import { inspectStack } from '../supervisor/stack-status.ts'
import { type Command, type Options, UsageError } from './command.ts'
import { connectStack, type StackClient } from './stack-client.ts'
import { aligned } from './status.ts'

const scenariosFolder = join(cloneFolder, 'bench/scenarios')
const resultsFolder = join(cloneFolder, 'bench/results')

/** All of them, because the command's options are those of its scenarios too. */
const scenarios = await loadScenarios()

const ownOptions: Options = { list: { type: 'boolean' }, json: { type: 'boolean' } }

export const command: Command = {
  help: `bench [scenario] [--list] [--json] [options of the scenario]

Measures the running stack, or a part of it by itself: one scenario, or all of them. Results are kept under
bench/results, with the date, the commit and the machine. The files in bench/scenarios say what each one measures.

  --list   names and descriptions, nothing is run
  --json   the result as JSON and nothing else
${[...scenarios].map(([name, { optionsHelp }]) => (optionsHelp === undefined ? '' : `\nOf ${name}:\n${optionsHelp}`)).join('')}`,
  options: Object.assign({}, ...[...scenarios.values()].map(({ options }) => options), ownOptions),
  maxPositionals: 1,

  async run({ values, positionals: [wanted], home }) {
    if (wanted !== undefined && !scenarios.has(wanted)) throw new UsageError(`There is no scenario ${wanted}`)
    if (values.list) {
      process.stdout.write(`${aligned([...scenarios].map(([name, { description }]) => [name, description]))}\n`)
      return 0
    }
    const { list, json, ...given } = values
    const chosen = wanted === undefined ? [...scenarios] : [[wanted, scenarios.get(wanted)!] as const]
    for (const option of Object.keys(given)) {
      if (!chosen.some(([, scenario]) => scenario.options?.[option])) {
        throw new UsageError(`Scenario ${wanted} has no option --${option}`)
      }
    }
    const results: Kept[] = []
    for (const [name, scenario] of chosen) {
      results.push(await runScenario({ name, scenario, home, given, quiet: Boolean(json) }))
    }
    if (json) process.stdout.write(`${JSON.stringify(wanted === undefined ? results : results[0], undefined, 2)}\n`)
    return results.some(({ failure }) => failure !== undefined) ? 1 : 0
  },
}

async function loadScenarios(): Promise<ReadonlyMap<string, Scenario>> {
  const files = globSync('*.ts', { cwd: scenariosFolder }).filter(file => !file.endsWith('.test.ts'))
  const load = async (file: string) =>
    [basename(file, '.ts'), (await import(pathToFileURL(join(scenariosFolder, file)).href)) as Scenario] as const
  return new Map(await Promise.all(files.sort().map(load)))
}

type Kept = BenchResult & Circumstances & { readonly scenario: string }

interface ScenarioRun {
  readonly name: string
  readonly scenario: Scenario
  readonly home: Home
  /** Options, as they were given. */
  readonly given: Readonly<Record<string, unknown>>
  readonly quiet: boolean
}

async function runScenario({ name, scenario, home, given, quiet }: ScenarioRun): Promise<Kept> {
  const { description, needsStack = true, options = {}, run } = scenario
  const print = (text: string) => quiet || process.stdout.write(`${text}\n`)
  print(`\n${name}: ${description}`)
  const startedAt = Date.now()
  const stack = needsStack ? await connectStack(home) : noStack(name)
  const own = Object.fromEntries(Object.entries(given).filter(([option]) => option in options))
  const inspect = () => inspectStack(home)
  const result = await run({ stack, inspect, note: text => print(`  ${text}`), options: own })
  print(table(result))
  const kept = { scenario: name, ...describeCircumstances(), ...result }
  print(`  ${seconds(startedAt)}, kept in ${keep(kept)}`)
  return kept
}

function noStack(name: string): StackClient {
  return new Proxy({} as StackClient, {
    get() {
      throw new CliError(`scenario ${name} says that it needs no stack, and uses it`)
    },
  })
}

function table({ figures, rows, notes, failure }: BenchResult): string {
  const lines = Object.entries(figures).map(([name, value]) => [`  ${name}`, readable(value).padStart(12)])
  const below = [...(notes === undefined ? [] : [notes]), ...(failure === undefined ? [] : [`FAILED: ${failure}`])]
  return [...(rows === undefined ? [] : [tableOf(rows), '']), aligned(lines), ...below.map(text => `  ${text}`)].join(
    '\n',
  )
}

/** One file a run, never overwritten: the history is the point. */
function keep(result: { readonly scenario: string; readonly at: string }): string {
  mkdirSync(resultsFolder, { recursive: true })
  const name = `${result.at.slice(0, 19).replaceAll(':', '')}-${result.scenario}.json`
  const file = join(resultsFolder, name)
  if (existsSync(file)) throw new CliError(`${file} exists already`)
  writeFileSync(file, `${JSON.stringify(result, undefined, 2)}\n`)
  return join('bench/results', name)
}
