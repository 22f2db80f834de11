import { createTopics, deleteTopics } from '@tocsin/kafka/topics'
import type { Database } from '@tocsin/postgres/database'
import { test as base } from 'vitest'
import { createPrivateDatabase, openDatabase } from './private-database.ts'
import { privateEnvironment } from './stack.ts'
import { testKafka } from './test-kafka.ts'
import { startWebhookReceiver, type WebhookReceiver } from './webhook-receiver.ts'

interface Fixtures {
  /** A migrated database of this test's own. */
  database: Database & { url: string }
  /** The environment of a service under test: real servers, names that no other test has. */
  environment: Record<string, string>
  webhooks: WebhookReceiver
}

/** vitest's `test`, with real things that are made when a test names them and taken away when it ends. */
export const test = base.extend<Fixtures>({
  database: async ({ onTestFailed }, use) => {
    const { url, drop } = await createPrivateDatabase()
    let failed = false
    onTestFailed(() => {
      failed = true
      console.error(`the database of the failed test is kept: ${url}`)
    })
    const database = Object.assign(openDatabase(url), { url })
    await use(database)
    await database.close()
    if (!failed) await drop()
  },

  environment: async ({ database }, use) => {
    const environment = privateEnvironment(database.url)
    const kafka = testKafka(environment.KAFKA_TOPIC_PREFIX ?? '')
    await createTopics(kafka)
    await use(environment)
    await deleteTopics(kafka)
  },

  // biome-ignore lint/correctness/noEmptyPattern: vitest reads the names of the fixtures that a fixture needs from here
  webhooks: async ({}, use) => {
    const receiver = await startWebhookReceiver()
    await use(receiver)
    await receiver.close()
  },
})
