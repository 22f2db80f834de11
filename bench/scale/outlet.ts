import { type Topic, topics } from '@tocsin/contracts/topics'
import { readTopic } from '@tocsin/testkit/topic-reader'
import type { StackClient } from '../../scripts/cli/stack-client.ts'
import { startSink } from '../webhook-sink.ts'
import type { Scalable } from './members.ts'

/** Where a service's output is watched: nothing that comes behind it can hide that it stands still, or hold it up. */
export interface Outlet extends AsyncDisposable {
  /** Of the webhook that teams need for it; undefined: none. */
  readonly webhook: string | undefined
}

const written: Partial<Record<Scalable, Topic>> = {
  evaluator: topics.alertsMatched,
  aggregator: topics.notificationsReady,
}

/** Tells the alert of whatever comes out of the service. */
export async function openOutlet(
  service: Scalable,
  { urls }: StackClient,
  onOutput: (alertId: string) => void,
): Promise<Outlet> {
  const topic = written[service]
  if (topic === undefined) {
    const sink = await startSink({ onReceived: onOutput })
    return { webhook: sink.url, [Symbol.asyncDispose]: () => sink[Symbol.asyncDispose]() }
  }
  const reader = await readTopic(topic, {
    brokers: urls.kafka_brokers,
    from: 'latest',
    // Keyed by the alert, behind `<team>:` where each team has a record.
    onRecord: ({ key = '' }) => onOutput(key.slice(key.indexOf(':') + 1)),
  })
  return { webhook: undefined, [Symbol.asyncDispose]: () => reader[Symbol.asyncDispose]() }
}
