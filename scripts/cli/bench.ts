import { existsSync, globSync, mkdirSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { describeCircumstances } from '../bench/machine.ts'
import type { BenchResult, Scenario } from '../bench/scenario.ts'
import { cloneFolder, type Home } from '../home.ts'
import { CliError, seconds } from '../report.ts'
import { type Command, UsageError } from './command.ts'
import { connectStack, type StackClient } from './stack-client.ts'
import { aligned } from './status.ts'

const scenariosFolder = join(cloneFolder, 'bench/scenarios')
const resultsFolder = join(cloneFolder, 'bench/results')

export const command: Command = {
  help: `bench [scenario] [--list] [--json]

Measures the running stack: one scenario, or all of them. Results are kept under bench/results, with the date, the
commit and the machine. The files in bench/scenarios say what each one measures.

  --list   names and descriptions, nothing is run
  --json   the result as JSON and nothing else
`,
  options: { list: { type: 'boolean' }, json: { type: 'boolean' } },
  maxPositionals: 1,

  async run({ values, positionals: [wanted], home }) {
    const names = scenarioNames()
    if (wanted !== undefined && !names.includes(wanted)) throw new UsageError(`There is no scenario ${wanted}`)
    if (values.list) {
      const rows = await Promise.all(names.map(async name => [name, (await loadScenario(name)).description]))
      process.stdout.write(`${aligned(rows)}\n`)
      return 0
    }
    const results: Record<string, unknown>[] = []
    for (const name of wanted === undefined ? names : [wanted]) {
      results.push(await runScenario(name, home, { quiet: Boolean(values.json) }))
    }
    if (values.json)
      process.stdout.write(`${JSON.stringify(wanted === undefined ? results : results[0], undefined, 2)}\n`)
    return 0
  },
}

function scenarioNames(): string[] {
  return globSync('*.ts', { cwd: scenariosFolder })
    .filter(file => !file.endsWith('.test.ts'))
    .map(file => basename(file, '.ts'))
    .sort()
}

async function loadScenario(name: string): Promise<Scenario> {
  return (await import(pathToFileURL(join(scenariosFolder, `${name}.ts`)).href)) as Scenario
}

async function runScenario(name: string, home: Home, { quiet }: { quiet: boolean }): Promise<Record<string, unknown>> {
  const print = (text: string) => quiet || process.stdout.write(`${text}\n`)
  const { description, needsStack = true, run } = await loadScenario(name)
  print(`\n${name}: ${description}`)
  const startedAt = Date.now()
  const stack = needsStack ? await connectStack(home) : noStack(name)
  const result = await run({ stack, note: text => print(`  ${text}`) })
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

function table({ figures, notes }: BenchResult): string {
  const rows = Object.entries(figures).map(([name, value]) => [`  ${name}`, readable(value).padStart(12)])
  return aligned(rows) + (notes === undefined ? '' : `\n  ${notes}`)
}

function readable(value: number): string {
  return value.toLocaleString('en', { maximumFractionDigits: Math.abs(value) < 100 ? 1 : 0 })
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
