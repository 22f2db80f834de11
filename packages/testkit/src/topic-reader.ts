import { randomBytes } from 'node:crypto'
import { Consumer, stringDeserializers } from '@platformatic/kafka'
import { testServers } from './servers.ts'

export interface ReadRecord {
  key: string | undefined
  value: string
  partition: number
  offset: number
  headers: Record<string, string>
  /** Milliseconds since 1970: what the record says, and when it came here. */
  timestamp: number
  receivedAt: number
}

export interface TopicReader extends AsyncDisposable {
  /** What the topic holds so far, in the order in which it came. */
  records: ReadRecord[]
}

export interface TopicReaderOptions {
  brokers?: string
  from?: 'earliest' | 'latest'
  onRecord?: (record: ReadRecord) => void
}

/** Reads a topic, from its beginning unless told, as somebody else's program would. */
export async function readTopic(
  topic: string,
  { brokers = testServers().kafkaBrokers, from = 'earliest', onRecord }: TopicReaderOptions = {},
): Promise<TopicReader> {
  const consumer = new Consumer({
    clientId: 'test-reader',
    groupId: `${topic}-reader-${randomBytes(4).toString('hex')}`,
    bootstrapBrokers: brokers.split(','),
    deserializers: stringDeserializers,
  })
  const stream = await consumer.consume({ topics: [topic], mode: from, autocommit: false, maxWaitTime: 100 })
  const records: ReadRecord[] = []
  stream.on('data', ({ key, value, partition, offset, headers, timestamp }) => {
    const record = {
      key,
      value,
      partition,
      offset: Number(offset),
      headers: Object.fromEntries(headers),
      timestamp: Number(timestamp),
      receivedAt: Date.now(),
    }
    records.push(record)
    onRecord?.(record)
  })
  return {
    records,
    async [Symbol.asyncDispose]() {
      await stream.close()
      await consumer.close()
    },
  }
}
