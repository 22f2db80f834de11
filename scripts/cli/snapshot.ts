import { setTimeout as sleep } from 'node:timers/promises'
import type { SnapshotResource } from '@tocsin/contracts/http'
import { CliError, seconds } from '../report.ts'
import { type Command, UsageError } from './command.ts'
import { connectStack, type StackClient } from './stack-client.ts'
import { aligned } from './status.ts'

/** A million rules take half a minute on a small machine. */
const rebuildWithinMs = 180_000
const askEveryMs = 100

export const command: Command = {
  help: `snapshot [rebuild] [--json]

The rules that the evaluators match with: version, size, who builds them, and which evaluator has which version.

  rebuild  has everything read from Postgres again and written to Redis anew, under a new version; ends when it is done
  --json   what GET /api/v1/snapshot answers and nothing else
`,
  options: { json: { type: 'boolean' } },
  maxPositionals: 1,

  async run({ values, positionals: [action], home }) {
    if (action !== undefined && action !== 'rebuild') throw new UsageError(`A snapshot cannot be asked to ${action}`)
    const stack = await connectStack(home)
    const url = `${stack.urls.rule_service}/api/v1/snapshot`
    const startedAt = Date.now()
    const snapshot = action === 'rebuild' ? await rebuild(stack, url) : await read(stack, url)
    if (values.json) process.stdout.write(`${JSON.stringify(snapshot, undefined, 2)}\n`)
    else {
      if (action === 'rebuild') process.stdout.write(`Rebuilt in ${seconds(startedAt)}\n\n`)
      print(snapshot)
    }
    return 0
  },
}

const read = (stack: StackClient, url: string) => stack.call<SnapshotResource>('GET', url)

async function rebuild(stack: StackClient, url: string): Promise<SnapshotResource> {
  const { wanted } = await stack.call<{ wanted: number }>('POST', `${url}/rebuild`)
  const deadline = Date.now() + rebuildWithinMs
  for (;;) {
    const snapshot = await read(stack, url)
    if (snapshot.rebuilds.done >= wanted) return snapshot
    if (Date.now() > deadline) {
      throw new CliError(
        'The rebuild is not done yet. It stays asked for; ./tocsin logs rule-updater says what it waits for',
      )
    }
    await sleep(askEveryMs)
  }
}

function print(snapshot: SnapshotResource): void {
  const { version, rules, chunks, bytes, leader, evaluators, last_reconcile: reconcile } = snapshot
  if (version === null) {
    process.stdout.write('There is no snapshot yet\n')
    return
  }
  const lines = [
    ['version', `${version}, built ${snapshot.built_at}, ${Math.round(snapshot.age_seconds ?? 0)} s ago`],
    ['rules', `${rules} in ${chunks} chunks of together ${bytes} bytes`],
    ['waiting', `${snapshot.waiting_changes} changes`],
    ['leader', leader === null ? 'none' : `${leader.leader_id} since ${leader.since}`],
    ['compared', reconcile === null ? 'not yet' : `${reconcile.at}, ${reconcile.drift} rules differed`],
  ]
  const rows = evaluators.map(({ evaluator_id, version: has, lag }) => [
    '',
    evaluator_id,
    lag.versions === 0 ? `${has}` : `${has}, ${lag.versions} versions behind for ${lag.seconds?.toFixed(1)} s`,
  ])
  process.stdout.write(`${aligned([...lines, ['evaluators', snapshot.evaluators_current], ...rows])}\n`)
}
