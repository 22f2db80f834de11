import type { RuleChanged } from '@tocsin/contracts/messages'
import { createKafkajs } from '@tocsin/kafka/kafkajs-client'
import { createProducer } from '@tocsin/kafka/producer'
import { readManifest } from '@tocsin/redis/snapshot-store'
import { createLogger } from '@tocsin/runtime/logger'
import { eventually } from '@tocsin/testkit/eventually'
import { startGate, targetOf } from '@tocsin/testkit/gate'
import { publishRaw } from '@tocsin/testkit/raw-kafka'
import { testServers } from '@tocsin/testkit/servers'
import { type InProcess, startInProcess } from '@tocsin/testkit/service-in-process'
import { testKafka } from '@tocsin/testkit/test-kafka'
import { readTopic } from '@tocsin/testkit/topic-reader'
import { expect } from 'vitest'
import { settings } from '../src/config.ts'
import { Leadership } from '../src/leadership.ts'
import { RuleChanges } from '../src/rule-changes.ts'
import { start } from '../src/start.ts'
import {
  test as base,
  deleteRules,
  editRules,
  flush,
  insertRules,
  numbered,
  readSnapshot,
  setEnabled,
  stamps,
  upToDate,
} from './private-places.ts'

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

test('changes are in Redis soon, however often and in whatever order their events come, or if none does', async ({
  startUpdater,
  announce,
  database,
  redis,
  prefix,
}) => {
  await startUpdater().untilReady()
  const ids = numbered(12)
  await insertRules(database, ids)
  await announce(...ids.toReversed(), ...ids)
  await upToDate(database, redis, prefix)

  await editRules(database, ids.slice(0, 4))
  await announce('rul_unheard_of')
  await deleteRules(database, ids.slice(4, 6))
  await setEnabled(database, ids.slice(6, 8), false)
  await upToDate(database, redis, prefix)
  await announce(...ids)
  await upToDate(database, redis, prefix)
  expect((await stamps(database)).rul_00000).toBeLessThanOrEqual((await readManifest(redis, prefix))!.version)
})

test('an event wakes the leader, who would look by himself a minute later', async ({
  announce,
  database,
  environment,
  redis,
  prefix,
}) => {
  const log = createLogger('rule-updater test', 'silent')
  const kafka = testKafka(environment.KAFKA_TOPIC_PREFIX!)
  const producer = createProducer(kafka)
  const changes = new RuleChanges({ name: 'rule-updater', log }, kafka, producer)
  const leadership = new Leadership({
    places: { database, redis, prefix, log },
    leaseDatabase: database,
    listen: (wake, stopping) => changes.listen(wake, stopping),
    name: 'test',
    timings: { pollEveryMs: 60_000 },
  })
  const stop = new AbortController()
  const ended = leadership.run(stop.signal)
  try {
    await upToDate(database, redis, prefix)
    await insertRules(database, ['rul_1'])
    await announce('rul_1')
    await upToDate(database, redis, prefix)
  } finally {
    stop.abort()
    await ended
    await producer.close()
  }
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
  const ids = numbered(1_000)
  for (let from = 0; from < 1_000; from += 20) await insertRules(database, ids.slice(from, from + 20))
  await announce(...ids)
  await upToDate(database, redis, prefix)
  // It looks every 250 ms while they are written.
  expect((await readManifest(redis, prefix))!.version - before).toBeLessThan(30)
})

test('a flushed Redis is filled again within seconds, under a higher version', async ({
  startUpdater,
  database,
  redis,
  prefix,
}) => {
  await insertRules(database, ['rul_1'])
  await startUpdater().untilReady()
  const before = (await readManifest(redis, prefix))!.version
  await flush(redis, prefix)
  await upToDate(database, redis, prefix)
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
  await insertRules(database, ['rul_1'])
  await announce('rul_1')
  await upToDate(database, redis, prefix)

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

test('of two updaters one leads; when it stops, the other one does', async ({
  startUpdater,
  database,
  redis,
  prefix,
}) => {
  const first = startUpdater()
  await first.untilReady()
  const { token } = (await readManifest(redis, prefix))!
  const second = startUpdater()
  await second.untilReady()
  await insertRules(database, ['rul_1'])
  await upToDate(database, redis, prefix)
  expect((await readManifest(redis, prefix))!.token).toBe(token)

  await first.stop()
  await insertRules(database, ['rul_2'])
  await upToDate(database, redis, prefix)
  expect((await readManifest(redis, prefix))!.token).toBe(token + 1)
  await second.untilReady()
})

test('who stands by takes no partitions from the leader: it is no member of the group', async ({
  startUpdater,
  environment,
}) => {
  await startUpdater().untilReady()
  await startUpdater().untilReady()
  const client = testKafka(environment.KAFKA_TOPIC_PREFIX!)
  const { kafkajs, destroy } = createKafkajs(client)
  const admin = kafkajs.admin()
  await admin.connect()
  const { groups } = await admin.describeGroups([client.group('rule-updater')])
  await admin.disconnect()
  destroy()
  expect(groups.map(group => [group.state, group.members.length])).toEqual([['Stable', 1]])
})

test('a rebuild that was asked for is done', async ({ startUpdater, database, redis, prefix }) => {
  await insertRules(database, numbered(30))
  await startUpdater().untilReady()
  const before = (await readManifest(redis, prefix))!.version
  await database.query('UPDATE snapshot_lease SET rebuilds_wanted = rebuilds_wanted + 1')
  await eventually(async () => {
    const { rows } = await database.query('SELECT rebuilds_done, last_reconcile FROM snapshot_lease')
    expect(rows).toMatchObject([{ rebuilds_done: 1, last_reconcile: { rules: 30, drift: 0 } }])
  })
  expect((await readManifest(redis, prefix))!.version).toBe(before + 1)
})

test('while Redis is away it is not ready and says why; restarted empty, it gets everything that changed meanwhile', async ({
  startUpdater,
  announce,
  database,
  redis,
  prefix,
}) => {
  await using gate = await startGate(targetOf(testServers().redisUrl))
  const updater = startUpdater({ REDIS_URL: `redis://${gate.host}:${gate.port}` })
  await eventually(async () => expect(await updater.unready()).toMatchObject({ redis: expect.anything() }))
  await insertRules(database, ['rul_1'])
  await gate.open()
  await updater.untilReady()
  await upToDate(database, redis, prefix)

  await gate.close()
  await insertRules(database, ['rul_2'])
  await announce('rul_2')
  await eventually(async () => {
    expect(Object.keys(await updater.unready())).toEqual(expect.arrayContaining(['redis', 'snapshot']))
  })
  // It comes back empty.
  const before = (await readManifest(redis, prefix))!.version
  await flush(redis, prefix)
  await gate.open()
  await upToDate(database, redis, prefix)
  expect((await readManifest(redis, prefix))!.version).toBeGreaterThan(before)
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
  await insertRules(database, ['rul_1'])
  await eventually(async () => expect(await updater.unready()).toMatchObject({ postgres: expect.anything() }))
  await gate.open()
  await upToDate(database, redis, prefix)
})

test('a Postgres that answers nothing more holds up nobody for longer than a lease', async ({
  startUpdater,
  database,
  redis,
  prefix,
}) => {
  const { host, port } = targetOf(database.url)
  await using gate = await startGate({ host, port })
  await gate.open()
  const url = new URL(database.url)
  url.host = `${gate.host}:${gate.port}`
  const updater = startUpdater({ DATABASE_URL: url.href })
  await updater.untilReady()
  gate.freeze()
  // Not before a renewal has failed: it has given up its connection, and tries by another one.
  await eventually(async () => expect(await updater.unready()).toMatchObject({ snapshot: expect.anything() }), {
    withinMs: 20_000,
  })
  await gate.close()
  await insertRules(database, ['rul_1'])
  await gate.open()
  await upToDate(database, redis, prefix)
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
