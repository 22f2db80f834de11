/** A consumer in a process of its own, whose memory can be told: says what it handles, and at the end how large it was. */

import { consume } from '../src/consume.ts'
import { createDeadLetters } from '../src/dead-letters.ts'
import { createKafkaSource } from '../src/kafkajs-source.ts'
import { createProducer } from '../src/producer.ts'
import { connect } from './connect.ts'

const [topicPrefix, groupId, topic, deadLetters] = process.argv.slice(2) as [string, string, string, string]
const client = connect(topicPrefix)
const producer = createProducer(client)
const stopping = new AbortController()
process.once('SIGTERM', () => stopping.abort())
await consume(
  createKafkaSource(client, { groupId, topics: [topic] }),
  {
    name: 'test',
    decode: record => String(record.value),
    async handle(events) {
      for (const { value } of events) console.log(`handled ${value}`)
    },
  },
  {
    log: client.log,
    stopping: stopping.signal,
    reject: createDeadLetters(producer, { topic: deadLetters, service: 'reader', stage: 'test' }),
  },
)
await producer.close()
console.log(`max rss ${process.resourceUsage().maxRSS * 1024}`)
