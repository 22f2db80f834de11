import { randomBytes } from 'node:crypto'
import kafkajs from 'kafkajs'
import { createKafkajs } from '../src/kafkajs-client.ts'
import { createKafkaSource } from '../src/kafkajs-source.ts'
import { deleteTopics } from '../src/topics.ts'
import { committedOf, makeTopic } from './broker.ts'
import { connect } from './connect.ts'
import { sourceContract } from './source-contract.ts'

sourceContract('kafkajs', async t => {
  const client = connect(`test-${randomBytes(5).toString('hex')}.`)
  const groupId = client.group('readers')
  const topic = await makeTopic(client, 'contract', 3)
  const { kafkajs: writer, destroy } = createKafkajs(client)
  const producer = writer.producer({ createPartitioner: kafkajs.Partitioners.DefaultPartitioner })
  await producer.connect()
  t.onTestFinished(async () => {
    await producer.disconnect()
    destroy()
    await deleteTopics(client)
  })
  return {
    async publish(partition, ...messages) {
      await producer.send({ topic, messages: messages.map(message => ({ ...message, partition })) })
    },
    open: () => createKafkaSource(client, { groupId, topics: [topic] }),
    committed: async partition => (await committedOf(client, groupId, topic)).get(partition) ?? 0,
  }
})
