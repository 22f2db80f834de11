import type { Event, Stage } from '@tocsin/kafka/consume'
import { failed, type Rejection } from '@tocsin/kafka/failure'
import { MessagesRefused } from '@tocsin/kafka/kafka-errors'
import type { Producer } from '@tocsin/kafka/producer'
import { AppError } from '@tocsin/runtime/errors'
import { counter } from '@tocsin/runtime/metrics'
import { decodeAlert, type IncomingAlert } from './decode-alert.ts'
import { apart, evaluate, type MatchRecord } from './evaluate.ts'
import type { LiveRules } from './live-rules.ts'

const alertsTotal = counter('tocsin_alerts_evaluated_total', 'Alerts matched against the rules, repeats included')
const matchesTotal = counter('tocsin_matches_total', 'Teams that alerts were told of, repeats included')

export interface MatchAlertsOptions {
  cache: { readonly current: LiveRules | undefined }
  producer: Pick<Producer, 'send'>
  /** The full name of the topic that matches go to. */
  topic: string
}

/**
 * `alerts.new` → `alerts.matched`. A batch is done when all its matches are acknowledged. One that Kafka refuses is the loss
 * of its teams alone: the alert is told to the dead letters, and the matches of all others are written.
 */
export function matchAlerts({ cache, producer, topic }: MatchAlertsOptions): Stage<IncomingAlert> {
  return {
    name: 'match alerts',
    decode: decodeAlert,
    async handle(events) {
      // All of a batch is matched with one version: rules change between batches, and `evaluate` makes no pause.
      const rules = cache.current
      if (rules === undefined) throw new AppError('no_snapshot', 'there are no rules yet', { retryable: true })
      const alerts = events.map(event => event.value)
      const records = evaluate(rules, alerts, new Date())
      const refused = await publish(records)
      alertsTotal.inc(alerts.length)
      matchesTotal.inc(teamsIn(records) - teamsIn(refused.map(({ match }) => match)))
      return toRejections(refused, events)
    },
  }

  async function publish(records: readonly MatchRecord[]): Promise<RefusedMatch[]> {
    if (records.length === 0) return []
    try {
      await producer.send(records.map(({ key, value, headers }) => ({ topic, key, value, headers })))
      return []
    } catch (error) {
      if (!(error instanceof MessagesRefused)) throw error
      const refused = error.refused.map(refusal => ({ match: records[refusal.index]!, error: refusal.error }))
      const single = refused.filter(({ match }) => match.parts.length === 1)
      const several = refused.filter(({ match }) => match.parts.length > 1)
      return [...single, ...(await publish(several.flatMap(({ match }) => apart(match))))]
    }
  }
}

const teamsIn = (records: readonly MatchRecord[]) => records.reduce((sum, { parts }) => sum + parts.length, 0)

interface RefusedMatch {
  match: MatchRecord
  error: AppError
}

/** One for an alert, whatever it lacks: dead letters are told apart by the record that they are about. */
function toRejections(refused: readonly RefusedMatch[], events: readonly Event<IncomingAlert>[]): Rejection[] {
  return Array.from(
    Map.groupBy(refused, ({ match }) => match.alertIndex),
    ([alertIndex, ofAlert]) => {
      const teams = new Set(ofAlert.flatMap(({ match }) => match.parts.map(part => part.team)))
      const { code, message } = ofAlert[0]!.error
      const error = new AppError(code, `not told to ${[...teams].join(', ')}: ${message}`)
      return { record: events[alertIndex]!.record, failure: failed(undefined, error) }
    },
  )
}
