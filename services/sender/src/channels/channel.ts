import type { Alert } from '@tocsin/contracts/alert'

/** What is told: the same on every attempt, whichever the channel. */
export interface Message {
  /** The idempotency key on every wire (webhook-id, Message-ID): the same on each attempt. */
  deliveryId: string
  notificationId: string
  teamId: string
  alert: Alert
  rules: readonly { rule_id: string; name: string; version: number }[]
  notifiedAt: Date
}

/** Where it is told. `target` has the shape that the channel's kind of endpoint has in the database. */
export interface Recipient {
  target: unknown
  secret: string | null
}

/**
 * `retry`: the same attempt may succeed later. `permanent`: it never will. The code says which kind of failure it was
 * and is a label of a metric, so it comes from a closed set.
 */
export type Verdict = 'delivered' | 'retry' | 'permanent'

export interface Outcome {
  verdict: Verdict
  /** An HTTP status or an SMTP reply code, when there was an answer at all. */
  replyCode?: number
  reply?: string
  errorCode?: string
}

/**
 * One way of telling people: a folder with this signature, and one line in channels.ts. `send` makes one attempt and
 * answers with what became of it; a failure that it can foresee is an outcome, and what it throws is a bug.
 */
export interface Channel {
  send(message: Message, recipient: Recipient, timeout: AbortSignal): Promise<Outcome>
  close(): void
}

/** Kept of an answer: enough to see what the receiver complained about, whatever it sends. */
export const replyBytesMax = 4_096

/** Text that Postgres takes: no NUL, no half of a character at the cut. */
export function replyText(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes.subarray(0, replyBytesMax)).replaceAll('\0', '\uFFFD')
}
