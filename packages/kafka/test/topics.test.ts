import { partitionsPerTopic, topics } from '@tocsin/contracts/topics'
import { expect } from 'vitest'
import { createKafkaProbe, createTopics, deleteTopics } from '../src/topics.ts'
import { admin, test } from './broker.ts'
import { connect } from './connect.ts'

test('makes every topic with nine partitions, also when two processes do it at once', async ({ client }) => {
  await Promise.all([createTopics(client), createTopics(client), createTopics(client)])
  await createTopics(client)
  const names = Object.values(topics).map(client.topic)
  const { topics: found } = await admin(client, admin => admin.fetchTopicMetadata({ topics: names }))
  expect(partitionsPerTopic).toBe(9)
  expect(Object.fromEntries(found.map(({ name, partitions }) => [name, partitions.length]))).toEqual(
    Object.fromEntries(names.map(name => [name, 9])),
  )
})

test('is ready when a broker answers and the topics are there', async ({ client }) => {
  const probe = createKafkaProbe(client, [topics.alertsNew])
  await expect(probe.check()).rejects.toMatchObject({ code: 'kafka_topic_missing', retryable: true })
  await createTopics(client)
  await probe.check()
  await deleteTopics(client)
  await expect(probe.check()).rejects.toMatchObject({ retryable: true })
  await createTopics(client)
  await probe.check()
  await probe.close()
})

test('is not ready, and says why, while no broker answers', async ({ client }) => {
  const probe = createKafkaProbe(connect(client.topicPrefix, '127.0.0.1:1'))
  await expect(probe.check()).rejects.toMatchObject({
    code: 'kafka_unavailable',
    message: expect.stringContaining('ECONNREFUSED'),
  })
  await probe.close()
})

test("takes away the topics of its own prefix only, and nobody's without one", async ({ client }) => {
  const other = connect(`${client.topicPrefix}other.`)
  await createTopics(client)
  await createTopics(other)
  await deleteTopics(other)
  const left = (await admin(client, admin => admin.listTopics())).filter(name => name.startsWith(client.topicPrefix))
  expect(left.toSorted()).toEqual(Object.values(topics).map(client.topic).toSorted())
  await expect(deleteTopics(connect(''))).rejects.toThrow('without a prefix')
})
