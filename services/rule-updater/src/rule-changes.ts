import { decodeMessage } from '@tocsin/contracts/decode'
import { type RuleChanged, ruleChangedSchema } from '@tocsin/contracts/messages'
import { topics } from '@tocsin/contracts/topics'
import type { KafkaClient } from '@tocsin/kafka/client'
import { consume, type Stage } from '@tocsin/kafka/consume'
import { createDeadLetters } from '@tocsin/kafka/dead-letters'
import { createKafkaSource } from '@tocsin/kafka/kafkajs-source'
import type { Producer } from '@tocsin/kafka/producer'
import type { Source } from '@tocsin/kafka/source'
import type { Service } from '@tocsin/runtime/run-service'

/** `rule.changed`, read by whoever leads: standbys would only take partitions from the one who can do something. */
export class RuleChanges {
  readonly #service: Pick<Service, 'name' | 'log'>
  readonly #kafka: KafkaClient
  readonly #producer: Producer
  #source: Source | undefined

  constructor(service: Pick<Service, 'name' | 'log'>, kafka: KafkaClient, producer: Producer) {
    this.#service = service
    this.#kafka = kafka
    this.#producer = producer
  }

  /** For `/ready`. */
  check(): void {
    this.#source?.check()
  }

  /**
   * Until `stopping`. An event says that something changed; what, is read from Postgres. So a record is done with once
   * it has woken us: the change itself waits in `rule_versions` until a snapshot has it.
   */
  async listen(wake: () => void, stopping: AbortSignal): Promise<void> {
    const stage: Stage<RuleChanged> = {
      name: 'rule changes',
      decode: record => decodeMessage(ruleChangedSchema, record.value),
      handle: async () => wake(),
    }
    const source = createKafkaSource(this.#kafka, {
      groupId: this.#kafka.group('rule-updater'),
      topics: [this.#kafka.topic(topics.ruleChanged)],
    })
    const reject = createDeadLetters(this.#producer, {
      topic: this.#kafka.topic(topics.deadLetters),
      service: this.#service.name,
      stage: stage.name,
    })
    this.#source = source
    try {
      await consume(source, stage, { log: this.#service.log, stopping, reject })
    } finally {
      this.#source = undefined
    }
  }
}
