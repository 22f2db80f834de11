import { engineWithImages } from '../infra/container-engine.ts'
import { givenParts, variableOf } from '../infra/given.ts'
import type { PartKind } from '../infra/infra-part.ts'
import { CliError, Interrupted, seconds } from '../report.ts'
import { endAbandonedRuns, startTestServers } from '../testing/test-servers.ts'
import { add, faultTests, hasTests, type Outcome, runVitest, type Suite, suites } from '../testing/vitest-run.ts'
import { type Command, type Invocation, oneOf, UsageError, wholeNumber } from './command.ts'
import { reportToTerminal } from './terminal.ts'

export const command: Command = {
  help: `test [unit|service|system] [part of a file name...] [--deep] [--infra given|containers|embedded]
     | test --faults [--seeds N] [--seed S]

Runs all tests that this machine can run: unit (no server), then service and system on real servers that are started
for them and removed afterwards; and these two again on containers when there is a container engine.
The last line is "N passed, N failed, N skipped".

  --deep        longer: many more generated cases (TOCSIN_TEST_DEEP=1 for the tests)
  --infra KIND  only on these servers: given by DATABASE_URL, KAFKA_BROKERS, REDIS_URL, containers, or embedded
  --faults      only the fault suite, in full: services and servers of its own are killed, frozen and cut off at random
                while 20,000 alerts flow, and a ledger says what must have come of them (some minutes for each seed)
  --seeds N     with --faults: N runs, one after the other (10; 1 when a seed is given)
  --seed S      with --faults: the first seed, of which the plan of faults is made; the others count up from it
`,
  options: {
    deep: { type: 'boolean' },
    infra: { type: 'string' },
    faults: { type: 'boolean' },
    seeds: { type: 'string' },
    seed: { type: 'string' },
  },
  maxPositionals: 100,

  async run(invocation) {
    const startedAt = Date.now()
    const seeds = readFaultSeeds(invocation)
    const { wanted, filters } = readPositionals(invocation.positionals)
    const empty = wanted.filter(suite => !hasTests(suite))
    if (empty.length > 0) throw new CliError(`There are no ${empty.join(' and ')} tests where they should be`)
    const { outcome, skipped } = seeds ? await runFaults(invocation, seeds) : await runAll(invocation, wanted, filters)
    for (const what of skipped) reportToTerminal('skipped', what)
    reportToTerminal('tests', `took ${seconds(startedAt)}`)
    process.stdout.write(`${outcome.passed} passed, ${outcome.failed} failed, ${outcome.skipped} skipped\n`)
    return outcome.failed > 0 ? 1 : 0
  },
}

function readPositionals([first, ...others]: readonly string[]): {
  wanted: readonly Suite[]
  filters: readonly string[]
} {
  if (first === undefined) return { wanted: suites, filters: [] }
  const suite = suites.find(name => name === first)
  if (suite === undefined) throw new UsageError(`There are no ${first} tests: unit, service or system`)
  return { wanted: [suite], filters: others }
}

const seedsEnd = 1_000_000

/** Which runs of the fault suite are asked for; undefined when it is not. */
function readFaultSeeds({ values, positionals }: Invocation): number[] | undefined {
  const count = wholeNumber('seeds', values.seeds, { min: 1, max: 1_000 })
  const given = wholeNumber('seed', values.seed, { min: 0, max: seedsEnd })
  if (!values.faults) {
    if (count !== undefined || given !== undefined) throw new UsageError('--seeds and --seed are for --faults')
    return undefined
  }
  if (positionals.length > 0 || values.infra !== undefined || values.deep) {
    throw new UsageError('--faults is a run of its own, on servers of its own')
  }
  const first = given ?? Math.floor(Math.random() * seedsEnd)
  return Array.from({ length: count ?? (given === undefined ? 10 : 1) }, (_, index) => first + index)
}

/** The tests bring their own servers, because they kill them. */
async function runFaults({ env }: Invocation, seeds: readonly number[]): Promise<Results> {
  reportToTerminal('tests', `faults, with the seeds ${seeds.join(', ')}`)
  const signal = interruption()
  const testEnv = { ...env, TOCSIN_TEST_FAULT_SEEDS: seeds.join() }
  try {
    const outcome = await runVitest({ suites: ['system'], filters: [faultTests], env: testEnv, signal })
    signal.throwIfAborted()
    return { outcome, skipped: [] }
  } finally {
    await endAbandonedRuns(env, reportToTerminal) // after a Ctrl-C nobody else ends what they started
  }
}

function interruption(): AbortSignal {
  const interrupted = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => interrupted.abort(new Interrupted()))
  }
  return interrupted.signal
}

interface Results {
  outcome: Outcome
  /** In words, with the reason. */
  readonly skipped: string[]
}

async function runAll(
  { values, env }: Invocation,
  wanted: readonly Suite[],
  filters: readonly string[],
): Promise<Results> {
  const kind = oneOf('infra', values.infra, ['given', 'containers', 'embedded'])
  const signal = interruption()
  const testEnv = { ...env, ...(values.deep ? { TOCSIN_TEST_DEEP: '1' } : {}) }
  const results: Results = { outcome: { passed: 0, failed: 0, skipped: 0 }, skipped: [] }
  const run = async (suitesNow: readonly Suite[], envNow: NodeJS.ProcessEnv) => {
    results.outcome = add(results.outcome, await runVitest({ suites: suitesNow, filters, env: envNow, signal }))
    signal.throwIfAborted()
  }

  if (wanted.includes('unit')) {
    reportToTerminal('tests', 'unit')
    await run(['unit'], testEnv)
  }
  const onServers = wanted.filter(suite => suite !== 'unit')
  if (onServers.length === 0) return results
  for (const servers of await chooseServers(kind, env, results.skipped)) {
    reportToTerminal('tests', `${onServers.join(' and ')}, on ${servers} servers`)
    await using started = await startTestServers({ kind: servers, env: testEnv, report: reportToTerminal, signal })
    await run(onServers, started.env)
  }
  return results
}

/** On which servers the tests run, one after the other; what cannot be had is in `skipped`, with the reason. */
async function chooseServers(
  kind: PartKind | undefined,
  env: NodeJS.ProcessEnv,
  skipped: string[],
): Promise<PartKind[]> {
  if (kind !== undefined) return [kind]
  const given = givenParts(undefined, env)
  const needed = (['postgres', 'kafka', 'redis'] as const).filter(part => !given.includes(part))
  if (needed.length === 0) return ['given']
  if (needed.length < 3) skipped.push(`given servers: ${needed.map(variableOf).join(', ')} not set`)
  const reasons: string[] = []
  const report = (subject: string, text: string) => {
    reasons.push(text)
    reportToTerminal(subject, text) // a first pull takes its minutes
  }
  if (await engineWithImages({ required: false, env, report })) return ['embedded', 'containers']
  skipped.push(`service and system tests on containers: ${reasons.at(-1) ?? 'no container engine on this machine'}`)
  return ['embedded']
}
