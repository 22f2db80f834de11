import { counter, histogramSeconds } from '@tocsin/runtime/metrics'

export const notifications = counter(
  'tocsin_notifications_total',
  'Matches read, by what they did: created a notification, merged rules into one, or repeated what was known',
  ['outcome'],
)

export const handedOver = counter('tocsin_notifications_handed_over_total', 'Notifications published to the sender', [
  'by',
])

export const readySeconds = histogramSeconds(
  'tocsin_alert_to_ready_seconds',
  'From the time of the event to its notification published to the sender',
)

/** For `/status`: what this process did since it started. */
export async function statusOfMeters(): Promise<Record<string, unknown>> {
  const totals = async (of: typeof notifications | typeof handedOver) =>
    Object.fromEntries((await of.get()).values.map(({ labels, value }) => [Object.values(labels)[0], value]))
  return { notifications: await totals(notifications), handed_over: await totals(handedOver) }
}
