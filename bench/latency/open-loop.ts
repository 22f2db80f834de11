import { setTimeout as sleep } from 'node:timers/promises'
import type { OutgoingMessage, Producer } from '@tocsin/kafka/producer'

export interface OpenLoop {
  readonly alertsPerS: number
  /** Without an end where there is a signal that ends it. */
  readonly alerts: number
  readonly stopping?: AbortSignal
  /** The alert of this number, which is to say that it happened at this time. */
  readonly message: (number: number, intendedAtMs: number) => OutgoingMessage
}

/** By number: from the time that an alert was meant to be sent at, to what became of it. */
export interface SentAlerts {
  readonly sentMs: number[]
  readonly acceptedMs: number[]
}

/**
 * Alerts on a schedule that is fixed before the first one: number n is due n / rate seconds after the start, and says that it
 * happened then, whether or not whoever sends has fallen behind, and whatever became of those before it. What is late is sent
 * at once and keeps its time, so that each stall is in the figures of all alerts that it held up.
 */
export async function sendOpenLoop(
  producer: Producer,
  { alertsPerS, alerts, stopping, message }: OpenLoop,
): Promise<SentAlerts> {
  const sentMs: number[] = []
  const acceptedMs: number[] = []
  const accepted: Promise<void>[] = []
  const startedAt = Date.now()
  const intendedAt = (number: number) => startedAt + Math.floor((number * 1_000) / alertsPerS)
  for (let next = 0; next < alerts && !stopping?.aborted; await sleep(1)) {
    const now = Date.now()
    const first = next
    const messages: OutgoingMessage[] = []
    for (; next < alerts && intendedAt(next) <= now; next++) {
      messages.push(message(next, intendedAt(next)))
      sentMs.push(now - intendedAt(next))
    }
    accepted.push(
      producer.send(messages).then(() => {
        const acceptedAt = Date.now()
        for (let number = first; number < first + messages.length; number++) {
          acceptedMs[number] = acceptedAt - intendedAt(number)
        }
      }),
    )
  }
  await Promise.all(accepted)
  return { sentMs, acceptedMs }
}
