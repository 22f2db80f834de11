import { createTopics, deleteTopics } from '@tocsin/kafka/topics'
import type { Database } from '@tocsin/postgres/database'
import { createPrivateDatabase, openDatabase } from '@tocsin/testkit/private-database'
import { type Call, callerOf, type RestInProcess, startRestInProcess } from '@tocsin/testkit/rest-in-process'
import { privateEnvironment } from '@tocsin/testkit/stack'
import { testKafka } from '@tocsin/testkit/test-kafka'
import { settings } from '../src/config.ts'
import { start } from '../src/start.ts'

export interface RunningAlertProducer extends AsyncDisposable {
  service: RestInProcess
  call: Call
  database: Database
  /** The topic's real name. */
  topic: string
}

/** The service on real servers. Gives it when it listens; it may not be ready yet. */
export async function startAlertProducer(change: Record<string, string> = {}): Promise<RunningAlertProducer> {
  const { url, drop } = await createPrivateDatabase()
  const environment: Record<string, string> = { ...privateEnvironment(url), ...change }
  const kafka = testKafka(environment.KAFKA_TOPIC_PREFIX!)
  await createTopics(kafka)
  const database = openDatabase(url)
  const service = await startRestInProcess('alert-producer', start, settings, environment)
  return {
    service,
    call: await callerOf(service.url, database),
    database,
    topic: kafka.topic('alerts.new'),
    async [Symbol.asyncDispose]() {
      await service.stop()
      await deleteTopics(kafka)
      await database.close()
      await drop()
    },
  }
}
