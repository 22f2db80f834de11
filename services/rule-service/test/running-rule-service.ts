import { createTopics, deleteTopics } from '@tocsin/kafka/topics'
import type { Database } from '@tocsin/postgres/database'
import { createPrivateDatabase, openDatabase } from '@tocsin/testkit/private-database'
import { type Call, callerOf, type RestInProcess, startRestInProcess } from '@tocsin/testkit/rest-in-process'
import { privateEnvironment } from '@tocsin/testkit/stack'
import { testKafka } from '@tocsin/testkit/test-kafka'
import { settings } from '../src/config.ts'
import { start } from '../src/start.ts'

export interface RunningRuleService extends AsyncDisposable {
  service: RestInProcess
  call: Call
  database: Database
  environment: Record<string, string>
  /** The same service once more, as a second process would be: on the same database and topics. */
  another(): Promise<RestInProcess>
}

/** The service on real servers. Gives it when it listens; it may not be ready yet. */
export async function startRuleService(change: Record<string, string> = {}): Promise<RunningRuleService> {
  const { url, drop } = await createPrivateDatabase()
  const environment: Record<string, string> = { ...privateEnvironment(url), ...change }
  const kafka = testKafka(environment.KAFKA_TOPIC_PREFIX!)
  await createTopics(kafka)
  const database = openDatabase(url)
  const another = () => startRestInProcess('rule-service', start, settings, environment)
  const service = await another()
  return {
    service,
    call: await callerOf(service.url, database),
    database,
    environment,
    another,
    async [Symbol.asyncDispose]() {
      await service.stop()
      await deleteTopics(kafka)
      await database.close()
      await drop()
    },
  }
}

export const conditions = { all: [{ fact: 'severity', operator: 'equal', value: 'HIGH' }] }

/** The pointers and codes of an answer's problems, in order. */
export function problemsIn({ details }: { details: { problems: { pointer: string; code: string }[] } }): string[] {
  return details.problems.map(({ pointer, code }) => `${pointer} ${code}`)
}

/** What rule-updater does once a snapshot knows all that was changed of this rule. */
export async function stamp(database: Database, ruleId: string, version: number, at: string): Promise<void> {
  await database.query(
    'UPDATE rule_versions SET snapshot_version = $2, snapshot_at = $3 WHERE rule_id = $1 AND snapshot_version IS NULL',
    [ruleId, version, at],
  )
}
