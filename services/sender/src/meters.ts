import { counter, gauge, histogramSeconds } from '@tocsin/runtime/metrics'

export const expanded = counter('tocsin_notifications_expanded_total', 'Notifications read, by what became of them', [
  'outcome',
])

export const attempts = counter('tocsin_delivery_attempts_total', 'Attempts, by what they made of their delivery', [
  'channel',
  'outcome',
  'error',
])

export const deliveredSeconds = histogramSeconds(
  'tocsin_alert_to_delivered_seconds',
  'From the time of the event to the recipient’s acknowledgement',
  ['channel'],
)

export const requeued = counter('tocsin_deliveries_requeued_total', 'Due deliveries that the sweep gave a new job')

export const late = gauge(
  'tocsin_deliveries_late',
  'Deliveries that are due for more than 5 s and that nobody has taken up (counted up to 10,000)',
)

/** For `/status`: what this process did since it started. */
export async function attemptTotals(): Promise<Record<string, number>> {
  const totals: Record<string, number> = {}
  for (const { labels, value } of (await attempts.get()).values) {
    const outcome = String(labels.outcome)
    totals[outcome] = (totals[outcome] ?? 0) + value
  }
  return totals
}
