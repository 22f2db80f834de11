import type { RuleChanged } from '@tocsin/contracts/messages'
import { createProducer } from '@tocsin/kafka/producer'
import { readManifest, readSnapshot } from '@tocsin/redis/snapshot-store'
import { eventually } from '@tocsin/testkit/eventually'
import { startGate, targetOf } from '@tocsin/testkit/gate'
import { publishRaw } from '@tocsin/testkit/raw-kafka'
import { testServers } from '@tocsin/testkit/servers'
import { type InProcess, startInProcess } from '@tocsin/testkit/service-in-process'
import { testKafka } from '@tocsin/testkit/test-kafka'
import { readTopic } from '@tocsin/testkit/topic-reader'
import { expect } from 'vitest'
import { settings } from '../src/config.ts'
import { start } from '../src/start.ts'
import { test as base, editRule, flush, insertRule, stamps } from './private-places.ts'

interface Fixtures {
  /** Starts a rule-updater of this test; it is stopped when the test ends. */
  startUpdater: (own?: Record<string, string>) => InProcess
  /** Says, as rule-service does, that these rules changed. */
  announce: (...ruleIds: string[]) => Promise<void>
  prefix: string
}

const test = base.extend<Fixtures>({
  startUpdater: async ({ environment }, use) => {
    const started: InProcess[] = []
    await use((own = {}) => {
      const updater = startInProcess('rule-updater', start, settings, { ...environment, ...own })
      started.push(updater)
      return updater
    })
    await Promise.all(started.map(updater => updater.stop()))
  },

  announce: async ({ environment }, use) => {
    const kafka = testKafka(environment.KAFKA_TOPIC_PREFIX!)
    const producer = createProducer(kafka)
    await use(async (...ruleIds) => {
      const messages = ruleIds.map(rule_id => ({
        topic: kafka.topic('rule.changed'),
        key: rule_id,
        value: JSON.stringify(changed(rule_id)),
      }))
      await producer.send(messages)
    })
    await producer.close()
  },

  prefix: async ({ environment, redis }, use) => {
    const prefix = environment.REDIS_KEY_PREFIX!
    await use(prefix)
    await flush(redis, prefix)
  },
})

test('without a single rule there is a snapshot, and the service is ready', async ({ startUpdater, redis, prefix }) => {
  await startUpdater().untilReady()
  expect(await readSnapshot(redis, prefix)).toMatchObject({ manifest: { rules: 0 }, rules: [] })
})

test('a rule that is announced is in Redis at once', async ({ startUpdater, announce, database, redis, prefix }) => {
  await startUpdater().untilReady()
  const ids = ['rul_1', 'rul_2', 'rul_3', 'rul_4', 'rul_5']
  const startedAt = performance.now()
  for (const [index, id] of ids.entries()) {
    await insertRule(database, id)
    await announce(id)
    await rulesInRedis(redis, prefix, ids.slice(0, index + 1))
  }
  // The timer looks every 2 s, so without the events the second to the fifth alone would take 8 s.
  expect(performance.now() - startedAt).toBeLessThan(6_000)
  await eventually(async () => {
    expect((await stamps(database)).rul_5).toBe((await readManifest(redis, prefix))?.version)
  })
})

test('a rule whose event was lost is in Redis soon after', async ({ startUpdater, database, redis, prefix }) => {
  await startUpdater().untilReady()
  await insertRule(database, 'rul_1')
  await rulesInRedis(redis, prefix, ['rul_1'], 5_000)
})

test('a deleted and a disabled rule are out of the snapshot', async ({
  startUpdater,
  announce,
  database,
  redis,
  prefix,
}) => {
  for (const rule_id of ['rul_1', 'rul_2', 'rul_3']) await insertRule(database, rule_id)
  await startUpdater().untilReady()
  await rulesInRedis(redis, prefix, ['rul_1', 'rul_2', 'rul_3'])

  await database.query(`DELETE FROM rules WHERE rule_id = 'rul_1'`)
  await database.query(`UPDATE rules SET enabled = false WHERE rule_id = 'rul_2'`)
  await editRule(database, 'rul_2')
  await announce('rul_1', 'rul_2')
  await rulesInRedis(redis, prefix, ['rul_3'])
})

test('a thousand changes that arrive together make a few snapshots, not a thousand', async ({
  startUpdater,
  announce,
  database,
  redis,
  prefix,
}) => {
  await startUpdater().untilReady()
  const before = (await readManifest(redis, prefix))!.version
  const ids = Array.from({ length: 1_000 }, (_, index) => `rul_${String(index).padStart(4, '0')}`)
  for (const id of ids) await insertRule(database, id)
  await announce(...ids)
  await rulesInRedis(redis, prefix, ids)
  // The timer looks in between, and each of nine partitions may bring a batch of its own.
  expect((await readManifest(redis, prefix))!.version - before).toBeLessThan(30)
})

test('a flushed Redis is filled again within seconds, under a higher version', async ({
  startUpdater,
  database,
  redis,
  prefix,
}) => {
  await insertRule(database, 'rul_1')
  await startUpdater().untilReady()
  const before = (await readManifest(redis, prefix))!.version
  await flush(redis, prefix)
  await rulesInRedis(redis, prefix, ['rul_1'], 5_000)
  expect((await readManifest(redis, prefix))!.version).toBeGreaterThan(before)
})

test('a record that is no event goes to the dead letters, and the next one is heard', async ({
  startUpdater,
  announce,
  database,
  environment,
  redis,
  prefix,
}) => {
  await startUpdater().untilReady()
  const topic = `${environment.KAFKA_TOPIC_PREFIX}rule.changed`
  const partitions = Array.from({ length: 9 }, (_, partition) => partition)
  const poison = partitions.map(partition => ({ value: 'not an event', partition }))
  await publishRaw(testServers().kafkaBrokers, topic, poison)
  await insertRule(database, 'rul_1')
  await announce('rul_1')
  await rulesInRedis(redis, prefix, ['rul_1'])

  await using letters = await readTopic(`${environment.KAFKA_TOPIC_PREFIX}dead.letters`)
  // The other client may have published one twice: its topic is new, and it repeats what was not acknowledged.
  const sources = () => new Set(letters.records.map(letter => JSON.parse(letter.value).source.partition))
  await eventually(() => expect(sources()).toEqual(new Set(partitions)))
  expect(JSON.parse(letters.records[0]!.value)).toMatchObject({
    service: 'rule-updater',
    source: { topic },
    error: { code: 'not_json' },
  })
})

test('two updaters at once: versions in Redis only rise, and end at what Postgres holds', async ({
  startUpdater,
  announce,
  database,
  redis,
  prefix,
}) => {
  await insertRule(database, 'rul_1')
  await Promise.all([startUpdater().untilReady(), startUpdater().untilReady()])
  const seen: { version: number; ruleVersion: number }[] = []
  for (let edit = 0; edit < 40; edit++) {
    await editRule(database, 'rul_1')
    await announce('rul_1')
    const snapshot = (await readSnapshot(redis, prefix))!
    seen.push({ version: snapshot.manifest.version, ruleVersion: snapshot.rules[0]!.version })
  }
  await eventually(async () => expect((await readSnapshot(redis, prefix))?.rules[0]?.version).toBe(41))
  for (const [index, now] of seen.entries()) {
    const before = seen[index - 1] ?? now
    expect(now.version).toBeGreaterThanOrEqual(before.version)
    expect(now.ruleVersion).toBeGreaterThanOrEqual(before.ruleVersion)
  }
})

test('while Redis is away it is not ready and says why; then it publishes what changed meanwhile', async ({
  startUpdater,
  announce,
  database,
  redis,
  prefix,
}) => {
  await using gate = await startGate(targetOf(testServers().redisUrl))
  const updater = startUpdater({ REDIS_URL: `redis://${gate.host}:${gate.port}` })
  await eventually(async () => expect(await updater.unready()).toMatchObject({ redis: expect.anything() }))
  await insertRule(database, 'rul_1')
  await gate.open()
  await updater.untilReady()
  await rulesInRedis(redis, prefix, ['rul_1'])

  await gate.close()
  await insertRule(database, 'rul_2')
  await announce('rul_2')
  await eventually(async () => {
    expect(Object.keys(await updater.unready())).toEqual(expect.arrayContaining(['redis', 'snapshot']))
  })
  await gate.open()
  await rulesInRedis(redis, prefix, ['rul_1', 'rul_2'])
  await updater.untilReady()
})

test('a Postgres that comes late, and one that goes away, is waited for', async ({
  startUpdater,
  database,
  redis,
  prefix,
}) => {
  const { host, port } = targetOf(database.url)
  await using gate = await startGate({ host, port })
  const url = new URL(database.url)
  url.host = `${gate.host}:${gate.port}`
  const updater = startUpdater({ DATABASE_URL: url.href })
  await eventually(async () => expect(await updater.unready()).toMatchObject({ postgres: expect.anything() }))
  await gate.open()
  await updater.untilReady()

  await gate.close()
  await insertRule(database, 'rul_1')
  await eventually(async () => expect(await updater.unready()).toMatchObject({ postgres: expect.anything() }))
  await gate.open()
  await rulesInRedis(redis, prefix, ['rul_1'])
})

function changed(rule_id: string): RuleChanged {
  return {
    schema_version: 1,
    team_id: 'payments',
    rule_id,
    version: 1,
    action: 'updated',
    changed_at: new Date().toISOString(),
  }
}

async function rulesInRedis(
  redis: Parameters<typeof readSnapshot>[0],
  prefix: string,
  ids: string[],
  withinMs = 15_000,
) {
  await eventually(
    async () => {
      const snapshot = await readSnapshot(redis, prefix)
      expect(snapshot?.rules.map(rule => rule.rule_id)).toEqual(ids)
    },
    { withinMs, everyMs: 20 },
  )
}
