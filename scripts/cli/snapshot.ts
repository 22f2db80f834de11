import { setTimeout as sleep } from 'node:timers/promises'
import type { SnapshotResource } from '@tocsin/contracts/http'
import { CliError, seconds } from '../report.ts'
import { type Command, UsageError, wholeNumber } from './command.ts'
import { connectRunningStack, type StackClient, Unavailable } from './stack-client.ts'
import { aligned } from './status.ts'

/** A million rules take half a minute on a small machine. */
const rebuildWithinS = 180
const askEveryMs = 100

const damaged = 'The snapshot in Redis is damaged. The rule-updater that leads repairs it within seconds'

export const command: Command = {
  help: `snapshot [rebuild] [--within SECONDS] [--json]

The rules that the evaluators match with: version, size, who builds them, and which evaluator has which version.

  rebuild           has everything read from Postgres again and written to Redis anew, under a new version; ends when
                    it is done
  --within SECONDS  how long to wait for that (${rebuildWithinS}). After that the exit code is 1; the rebuild stays asked for
  --json            what GET /api/v1/snapshot answers and nothing else
`,
  options: { json: { type: 'boolean' }, within: { type: 'string' } },
  maxPositionals: 1,

  async run({ values, positionals: [action], home }) {
    if (action !== undefined && action !== 'rebuild') throw new UsageError(`A snapshot cannot be asked to ${action}`)
    const withinS = wholeNumber('within', values.within, { min: 1, max: 86_400 })
    if (withinS !== undefined && action === undefined) throw new UsageError('--within is of a rebuild')
    const stack = connectRunningStack(home)
    const url = `${stack.urls.rule_service}/api/v1/snapshot`
    const startedAt = Date.now()
    const snapshot =
      action === 'rebuild' ? await rebuild(stack, url, withinS ?? rebuildWithinS) : await read(stack, url)
    if (values.json) process.stdout.write(`${JSON.stringify(snapshot, undefined, 2)}\n`)
    else {
      if (action === 'rebuild') process.stdout.write(`Rebuilt in ${seconds(startedAt)}\n\n`)
      print(snapshot)
    }
    return 0
  },
}

async function read(stack: StackClient, url: string): Promise<SnapshotResource> {
  try {
    return await stack.call<SnapshotResource>('GET', url)
  } catch (error) {
    const isDamaged = error instanceof Unavailable && error.reason === 'bad_snapshot'
    throw isDamaged ? new Unavailable(damaged) : error
  }
}

async function rebuild(stack: StackClient, url: string, withinS: number): Promise<SnapshotResource> {
  const { wanted } = await stack.call<{ wanted: number }>('POST', `${url}/rebuild`)
  let lastLook = ''
  for (const deadline = Date.now() + withinS * 1_000; Date.now() < deadline; await sleep(askEveryMs)) {
    try {
      const snapshot = await read(stack, url)
      if (snapshot.rebuilds.done >= wanted) return snapshot
      lastLook = snapshot.leader === null ? 'No rule-updater leads' : `${snapshot.leader.leader_id} leads`
    } catch (error) {
      // A damaged snapshot cannot be shown, and is why people rebuild: it can be when that is done.
      if (!(error instanceof Unavailable)) throw error
      lastLook = error.message
    }
  }
  throw new CliError(
    `The rebuild is not done after ${withinS} s. ${lastLook}
It stays asked for and is done as soon as it can be; ./tocsin logs rule-updater says what it waits for`,
  )
}

function print(snapshot: SnapshotResource): void {
  const { version, rules, chunks, bytes, leader, evaluators, last_reconcile: reconcile } = snapshot
  const contents =
    version === null
      ? [['version', 'none: Redis has no snapshot']]
      : [
          ['version', `${version}, built ${snapshot.built_at}, ${Math.round(snapshot.age_seconds ?? 0)} s ago`],
          ['rules', `${rules} in ${chunks} chunks of together ${bytes} bytes`],
        ]
  const lines = [
    ...contents,
    ['waiting', `${snapshot.waiting_changes} changes`],
    ['leader', leader === null ? 'none' : `${leader.leader_id} since ${leader.since}`],
    ['compared', reconcile === null ? 'not yet' : `${reconcile.at}, ${reconcile.drift} rules differed`],
  ]
  const rows = evaluators.map(({ evaluator_id, version: has, lag }) => [
    '',
    `${evaluator_id}  ${has}${lag.versions ? `, ${lag.versions} versions behind for ${lag.seconds?.toFixed(1)} s` : ''}`,
  ])
  const current = ['evaluators', `${snapshot.evaluators_current} match with it`]
  process.stdout.write(`${aligned([...lines, current, ...rows])}\n`)
}
