import { randomBytes } from 'node:crypto'
import { Consumer, stringDeserializers } from '@platformatic/kafka'
import { testServers } from './servers.ts'

export interface ReadRecord {
  key: string | undefined
  value: string
  partition: number
  offset: number
  headers: Record<string, string>
}

export interface TopicReader extends AsyncDisposable {
  /** What the topic holds so far, in the order in which it came. */
  records: ReadRecord[]
}

/** Reads a topic from its beginning, as somebody else's program would. */
export async function readTopic(topic: string): Promise<TopicReader> {
  const consumer = new Consumer({
    clientId: 'test-reader',
    groupId: `${topic}-reader-${randomBytes(4).toString('hex')}`,
    bootstrapBrokers: testServers().kafkaBrokers.split(','),
    deserializers: stringDeserializers,
  })
  const stream = await consumer.consume({ topics: [topic], mode: 'earliest', autocommit: false, maxWaitTime: 100 })
  const records: ReadRecord[] = []
  stream.on('data', ({ key, value, partition, offset, headers }) => {
    records.push({ key, value, partition, offset: Number(offset), headers: Object.fromEntries(headers) })
  })
  return {
    records,
    async [Symbol.asyncDispose]() {
      await stream.close()
      await consumer.close()
    },
  }
}
