import { type CompressionAlgorithmValue, Producer, stringSerializers } from '@platformatic/kafka'

export interface RawRecord {
  value: string
  key?: string
  partition?: number
}

/**
 * Publishes as somebody else's program would: through another client library than ours, with no header, and nothing
 * of our contracts. What arrives must be understood all the same.
 */
export async function publishRaw(
  brokers: string,
  topic: string,
  records: readonly RawRecord[],
  compression: CompressionAlgorithmValue = 'none',
): Promise<void> {
  const producer = new Producer({
    clientId: 'somebody-else',
    bootstrapBrokers: brokers.split(','),
    serializers: stringSerializers,
    compression,
  })
  try {
    await producer.send({ messages: records.map(record => ({ topic, ...record })) })
  } finally {
    await producer.close()
  }
}
