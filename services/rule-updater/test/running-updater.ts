import type { RuleChanged } from '@tocsin/contracts/messages'
import { createProducer } from '@tocsin/kafka/producer'
import { type InProcess, startInProcess } from '@tocsin/testkit/service-in-process'
import { testKafka } from '@tocsin/testkit/test-kafka'
import { settings } from '../src/config.ts'
import { start } from '../src/start.ts'
import { test as base, flush } from './private-places.ts'

interface Fixtures {
  /** Starts a rule-updater of this test; it is stopped when the test ends. */
  startUpdater: (own?: Record<string, string>) => InProcess
  /** Says, as rule-service does, that these rules changed. */
  announce: (...ruleIds: string[]) => Promise<void>
  prefix: string
}

export const test = base.extend<Fixtures>({
  startUpdater: async ({ environment }, use) => {
    const started: InProcess[] = []
    await use((own = {}) => {
      const updater = startInProcess('rule-updater', start, settings, { ...environment, ...own })
      started.push(updater)
      return updater
    })
    await Promise.all(started.map(updater => updater.stop()))
  },

  announce: async ({ environment }, use) => {
    const kafka = testKafka(environment.KAFKA_TOPIC_PREFIX!)
    const producer = createProducer(kafka)
    await use(async (...ruleIds) => {
      const messages = ruleIds.map(rule_id => ({
        topic: kafka.topic('rule.changed'),
        key: rule_id,
        value: JSON.stringify(changed(rule_id)),
      }))
      await producer.send(messages)
    })
    await producer.close()
  },

  prefix: async ({ environment, redis }, use) => {
    const prefix = environment.REDIS_KEY_PREFIX!
    await use(prefix)
    await flush(redis, prefix)
  },
})

function changed(rule_id: string): RuleChanged {
  return {
    schema_version: 1,
    team_id: 'payments',
    rule_id,
    version: 1,
    action: 'updated',
    changed_at: new Date().toISOString(),
  }
}
