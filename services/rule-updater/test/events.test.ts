import { createKafkajs } from '@tocsin/kafka/kafkajs-client'
import { createProducer } from '@tocsin/kafka/producer'
import { readManifest } from '@tocsin/redis/snapshot-store'
import { createLogger } from '@tocsin/runtime/logger'
import { eventually } from '@tocsin/testkit/eventually'
import { publishRaw } from '@tocsin/testkit/raw-kafka'
import { testServers } from '@tocsin/testkit/servers'
import { testKafka } from '@tocsin/testkit/test-kafka'
import { readTopic } from '@tocsin/testkit/topic-reader'
import { expect } from 'vitest'
import { Leadership } from '../src/leadership.ts'
import { RuleChanges } from '../src/rule-changes.ts'
import { deleteRules, editRules, insertRules, numbered, setEnabled, stamps, upToDate } from './private-places.ts'
import { test } from './running-updater.ts'

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
