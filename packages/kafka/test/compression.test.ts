import { expect } from 'vitest'
import { type Compression, compressions } from '../src/codecs.ts'
import { createProducer } from '../src/producer.ts'
import { makeTopic, readAll, test } from './broker.ts'

test.for(Object.keys(compressions) as Compression[])(
  'records travel with compression %s',
  async (compression, { client }) => {
    const topic = await makeTopic(client, compression)
    const producer = createProducer(client, { compression })
    const values = Array.from({ length: 300 }, (_, n) => `${n} ${'Überlauf '.repeat(n)}`)
    const sent = await producer.send(values.map((value, n) => ({ topic, key: `k${n % 20}`, value })))
    await producer.close()
    const records = await readAll(client, topic)
    for (const [n, { partition, offset }] of sent.entries()) {
      expect(records.get(`${partition}/${offset}`)?.value?.toString()).toBe(values[n])
    }
  },
)
