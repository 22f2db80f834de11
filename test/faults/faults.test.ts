import { setTimeout as sleep } from 'node:timers/promises'
import { startWebhookReceiver, type WebhookReceiver } from '@tocsin/testkit/webhook-receiver'
import { expect, test } from 'vitest'
import { startCluster } from './cluster.ts'
import { gather, untilAtRest } from './evidence.ts'
import { Inflictor } from './inflict.ts'
import { makeLedger } from './ledger.ts'
import { describe, type Form, makePlan } from './plan.ts'
import { sendAlerts } from './send-alerts.ts'
import { createTeams, type Teams } from './teams.ts'
import { judge } from './verdict.ts'

/**
 * Alerts flow while everything that can break does, at random; afterwards a ledger of what was acknowledged is compared
 * with what became of it. `./tocsin test --faults` runs the long form with several seeds; otherwise there is a short one.
 */
const givenSeeds = process.env.TOCSIN_TEST_FAULT_SEEDS
const form: Form = givenSeeds === undefined ? 'short' : 'full'
const seeds = givenSeeds === undefined ? [Math.floor(Math.random() * 1_000_000)] : givenSeeds.split(',').map(Number)

/** `pauseMs`: after a batch, so that there are alerts on the way for as long as faults come. */
const { alerts, pauseMs } = { full: { alerts: 20_000, pauseMs: 450 }, short: { alerts: 2_000, pauseMs: 350 } }[form]
const limitMs = { full: 45 * 60_000, short: 20 * 60_000 }[form]
const problemsShown = 20
const changeEveryMs = 1_000

test('a seed gives the same plan, whenever it is asked', () => {
  expect(makePlan(7, 'full')).toEqual(makePlan(7, 'full'))
  expect(makePlan(7, 'full')).not.toEqual(makePlan(8, 'full'))
})

test.each(seeds)(
  'seed %i: every alert that was acknowledged is one notification for each team that wants it, handed over and told',
  withFaults,
  limitMs,
)

async function withFaults(seed: number): Promise<void> {
  const plan = makePlan(seed, form)
  const startedAt = performance.now()
  const say = (text: string) => process.stdout.write(`${elapsed(startedAt).padStart(7)}  ${text}\n`)
  say(`seed ${seed}, ${form} form; its plan:\n${plan.map(fault => `    ${describe(fault)}`).join('\n')}`)
  await using cluster = await startCluster(`seed-${seed}`)
  await using receiver = await startReceiver()
  await using inflictor = new Inflictor(cluster, plan, say)
  try {
    const teams = await createTeams(cluster, receiver.url)
    const ledger = makeLedger(seed, alerts, teams)
    say(`${alerts} alerts flow`)
    {
      await using _ = changeRules(teams)
      await sendAlerts(cluster, ledger, { pauseMs, onProgress: share => inflictor.progress(share) })
      say('all alerts are sent')
      await inflictor.over()
    }
    say('everything is put right')
    await untilAtRest(cluster)
    const { problems, summary } = judge(ledger, teams, await gather(cluster, teams, receiver))
    say(`at rest: ${summary}`)
    const all = [...problems, ...inflictor.deaths]
    expect(all.length, all.slice(0, problemsShown).join('\n')).toBe(0)
  } catch (error) {
    console.error(`${cluster.recentLogs()}\nThe same again: ./tocsin test --faults --seed ${seed}`)
    throw error
  }
}

async function startReceiver(): Promise<WebhookReceiver & AsyncDisposable> {
  const receiver = await startWebhookReceiver()
  return Object.assign(receiver, { [Symbol.asyncDispose]: () => receiver.close() })
}

const elapsed = (startedAt: number) => `${((performance.now() - startedAt) / 1_000).toFixed(1)} s`

/** Until disposed of. In an outage a change fails, which is nobody's loss here. */
function changeRules(teams: Teams): AsyncDisposable {
  const over = new AbortController()
  const changing = (async () => {
    while (!over.signal.aborted) {
      await teams.changeARule().catch(() => {})
      await sleep(changeEveryMs)
    }
  })()
  return {
    async [Symbol.asyncDispose]() {
      over.abort()
      await changing
    },
  }
}
