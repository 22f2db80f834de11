import type { Stage } from '@tocsin/kafka/consume'
import type { Producer } from '@tocsin/kafka/producer'
import { AppError } from '@tocsin/runtime/errors'
import { counter } from '@tocsin/runtime/metrics'
import { decodeAlert, type IncomingAlert } from './decode-alert.ts'
import { evaluate } from './evaluate.ts'
import type { LiveRules } from './live-rules.ts'

const alertsTotal = counter('tocsin_alerts_evaluated_total', 'Alerts matched against the rules, repeats included')
const matchesTotal = counter('tocsin_matches_total', 'Matches published, one per team and alert, repeats included')

export interface MatchAlertsOptions {
  cache: { readonly current: LiveRules | undefined }
  producer: Pick<Producer, 'send'>
  /** The full name of the topic that matches go to. */
  topic: string
}

/** `alerts.new` → `alerts.matched`. A batch is done when all its matches are acknowledged. */
export function matchAlerts({ cache, producer, topic }: MatchAlertsOptions): Stage<IncomingAlert> {
  return {
    name: 'match alerts',
    decode: decodeAlert,
    async handle(events) {
      // Taken once: all of a batch is matched with one version, whatever is swapped in meanwhile.
      const rules = cache.current
      if (rules === undefined) throw new AppError('no_snapshot', 'there are no rules yet', { retryable: true })
      const alerts = events.map(event => event.value)
      const records = evaluate(rules, alerts, new Date())
      if (records.length > 0) await producer.send(records.map(record => ({ topic, ...record })))
      alertsTotal.inc(alerts.length)
      matchesTotal.inc(records.length)
    },
  }
}
