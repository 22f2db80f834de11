/** A group member in a process of its own, to be killed: says what it is given, and never finishes it. */

import { createKafkaSource } from '../src/kafkajs-source.ts'
import { connect } from './connect.ts'

const [topicPrefix, groupId, topic, sessionTimeoutMs] = process.argv.slice(2) as [string, string, string, string]
const source = createKafkaSource(connect(topicPrefix), {
  groupId,
  topics: [topic],
  sessionTimeoutMs: Number(sessionTimeoutMs),
})
await source.run(
  {
    async batch({ partition, records }) {
      console.log(`holds ${partition}/${records[0]?.offset}`)
      await new Promise(() => {})
    },
  },
  new AbortController().signal,
)
