import { setTimeout as sleep } from 'node:timers/promises'
import type { RuleChanged } from '@tocsin/contracts/messages'
import type { OutgoingMessage, Producer } from '@tocsin/kafka/producer'
import { Database } from '@tocsin/postgres/database'
import { AppError } from '@tocsin/runtime/errors'
import { createLogger } from '@tocsin/runtime/logger'
import { eventually } from '@tocsin/testkit/eventually'
import { test } from '@tocsin/testkit/test'
import fc from 'fast-check'
import { expect } from 'vitest'
import { outboxChannel } from '../src/outbox.ts'
import { Relay } from '../src/relay.ts'
import { changeRules, ruleColumns, writeRules } from '../src/rule-versions-store.ts'

const log = createLogger('relay test', 'silent')
/** Of relays under faults. Others have their usual time, so that none is put out because the machine is busy. */
const shortHeldRowsMs = 150

/** What becomes of a `send`: only part of it may arrive, or all of it although nobody is told, or long after it matters. */
const fates = ['arrives', 'arrives', 'fails', 'arrives in part', 'answer is lost', 'arrives late'] as const
type Fate = (typeof fates)[number]

interface Write {
  rule: number
  /** How long the transaction stays open after it has written. */
  openMs: number
  rollsBack: boolean
}

interface Plan {
  relays: number
  writers: Write[][]
  fates: Fate[]
  killsAfterMs: number[]
}

const plans: fc.Arbitrary<Plan> = fc.record({
  relays: fc.integer({ min: 2, max: 4 }),
  writers: fc.array(
    fc.array(
      fc.record({ rule: fc.nat(5), openMs: fc.constantFrom(0, 0, 0, 5, 40), rollsBack: fc.nat(5).map(n => n === 0) }),
      { minLength: 5, maxLength: 25 },
    ),
    { minLength: 2, maxLength: 5 },
  ),
  fates: fc.array(fc.constantFrom(...fates), { minLength: 1, maxLength: 12 }),
  killsAfterMs: fc.array(fc.integer({ min: 1, max: 60 }), { maxLength: 12 }),
})

/** A topic whose every message is looked up, at the moment at which it arrives, in what is committed. */
class Topic implements Producer {
  readonly told: RuleChanged[] = []
  readonly tooEarly: RuleChanged[] = []
  readonly #database: Database
  readonly #fates: Fate[]
  #sends = 0
  isCalm = false

  constructor(database: Database, planned: Fate[]) {
    this.#database = database
    this.#fates = planned
  }

  async send(messages: readonly OutgoingMessage[]): Promise<never[]> {
    const fate = this.isCalm ? 'arrives' : this.#fates[this.#sends++ % this.#fates.length]
    const all = messages.map(message => JSON.parse(String(message.value)) as RuleChanged)
    for (const message of all) if (!(await this.#isCommitted(message))) this.tooEarly.push(message)
    if (fate === 'fails') throw new AppError('kafka_unavailable', fate, { retryable: true })
    if (fate === 'arrives late') await sleep(2 * shortHeldRowsMs)
    this.told.push(...(fate === 'arrives in part' ? all.slice(0, Math.ceil(all.length / 2)) : all))
    if (fate === 'arrives in part' || fate === 'answer is lost') {
      throw new AppError('kafka_unavailable', fate, { retryable: true })
    }
    return []
  }

  async close(): Promise<void> {}

  async #isCommitted({ rule_id, version }: RuleChanged): Promise<boolean> {
    const { rowCount } = await this.#database.query('SELECT FROM rule_versions WHERE rule_id = $1 AND version = $2', [
      rule_id,
      version,
    ])
    return rowCount === 1
  }
}

class OnPurpose extends Error {}

async function write(database: Database, { rule, openMs, rollsBack }: Write): Promise<void> {
  const writing = changeRules(database, async client => {
    const rule_id = `rule ${rule}`
    const update = `UPDATE rules SET version = version + 1 WHERE rule_id = $1 RETURNING ${ruleColumns}`
    await writeRules(client, { action: 'updated', changedBy: 'key' }, update, [rule_id])
    await sleep(openMs)
    if (rollsBack) throw new OnPurpose()
  })
  await writing.catch(error => {
    if (!(error instanceof OnPurpose)) throw error
  })
}

interface RunningRelay {
  stop(): Promise<void>
}

function startRelay(url: string, producer: Producer, options: { pollMs: number; heldRowsMs?: number }): RunningRelay {
  const behindName = new URL(url)
  behindName.searchParams.set('application_name', 'relay') // so that only these are killed
  const settings = { DATABASE_URL: behindName.href, DATABASE_TLS_CA: undefined, DATABASE_POOL_SIZE: 2 }
  const database = new Database(settings, log)
  const relay = new Relay({ database, producer, topic: name => name, log, ...options })
  const stopping = new AbortController()
  const done = Promise.all([
    relay.run(stopping.signal),
    database.listen(outboxChannel, () => relay.wake(), stopping.signal),
  ])
  return {
    async stop() {
      stopping.abort()
      await done
      await database.close()
    },
  }
}

async function killSome(database: Database, afterMs: readonly number[]): Promise<void> {
  for (const delayMs of afterMs) {
    await sleep(delayMs)
    await database.query(
      `SELECT pg_terminate_backend(pid) FROM (
         SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'relay'
         ORDER BY random() LIMIT 1) AS victim`,
    )
  }
}

async function prepare(database: Database): Promise<void> {
  await database.query('TRUNCATE teams, rules, rule_versions, outbox CASCADE')
  await database.query(`INSERT INTO teams (team_id, name) VALUES ('team', 'Team')`)
  await database.query(
    `INSERT INTO rules (rule_id, team_id, name, conditions, version)
     SELECT 'rule ' || n, 'team', 'x', '{}', 0 FROM generate_series(0, 5) AS n`,
  )
}

/** Versions of each rule in the order in which they were first told. */
function firstTold(told: readonly RuleChanged[]): Map<string, number[]> {
  const ofRules = Map.groupBy(told, message => message.rule_id)
  return new Map([...ofRules].map(([rule, messages]) => [rule, [...new Set(messages.map(({ version }) => version))]]))
}

/** Gives all that was told, in its order. */
async function run(database: Database & { url: string }, plan: Plan, heldRowsMs?: number): Promise<RuleChanged[]> {
  await prepare(database)
  const topic = new Topic(database, plan.fates)
  const options = { pollMs: 20, ...(heldRowsMs !== undefined && { heldRowsMs }) }
  const relays = Array.from({ length: plan.relays }, () => startRelay(database.url, topic, options))
  try {
    const writers = plan.writers.map(async writes => {
      for (const one of writes) await write(database, one)
    })
    await Promise.all([...writers, killSome(database, plan.killsAfterMs)])
    topic.isCalm = true
    await eventually(async () =>
      expect((await database.query('SELECT FROM outbox WHERE published_at IS NULL')).rowCount).toBe(0),
    )
  } finally {
    await Promise.all(relays.map(relay => relay.stop()))
  }
  const { rows } = await database.query<{ rule_id: string; versions: number[] }>(
    'SELECT rule_id, array_agg(version ORDER BY version) AS versions FROM rule_versions GROUP BY rule_id',
  )
  expect(firstTold(topic.told)).toEqual(new Map(rows.map(row => [row.rule_id, row.versions])))
  expect(topic.tooEarly).toEqual([])
  return topic.told
}

const numRuns = process.env.TOCSIN_TEST_DEEP === '1' ? 150 : 8

test('several relays, whatever is killed, fails or comes late: each change is told after its commit, of a rule in order', {
  timeout: 300_000,
}, async ({ database }) => {
  const property = fc.asyncProperty(plans, async plan => {
    await run(database, plan, shortHeldRowsMs)
  })
  await fc.assert(property, { numRuns, endOnFailure: true })
})

test('several relays, as long as nothing fails: each change is told once', { timeout: 300_000 }, async ({
  database,
}) => {
  const property = fc.asyncProperty(plans, async plan => {
    const told = await run(database, { ...plan, fates: ['arrives'], killsAfterMs: [] })
    const each = told.map(({ rule_id, version }) => `${rule_id} ${version}`)
    expect(each).toHaveLength(new Set(each).size)
  })
  await fc.assert(property, { numRuns, endOnFailure: true })
})

test('a change that another copy has written wakes the relay: it does not wait until it looks again', async ({
  database,
}) => {
  await prepare(database)
  const topic = new Topic(database, ['arrives'])
  const relay = startRelay(database.url, topic, { pollMs: 3_600_000 })
  try {
    for (let n = 1; n <= 5; n++) {
      await write(database, { rule: 0, openMs: 0, rollsBack: false })
      await eventually(() => expect(topic.told).toHaveLength(n))
    }
  } finally {
    await relay.stop()
  }
})
