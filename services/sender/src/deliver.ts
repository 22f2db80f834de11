import { setTimeout as sleep } from 'node:timers/promises'
import { isRetryable, messageOf } from '@tocsin/runtime/errors'
import type { Logger } from '@tocsin/runtime/logger'
import type { Attempted, Claimed } from './attempts-store.ts'
import type { Channel, Outcome } from './channels/channel.ts'
import type { Job } from './deliveries-store.ts'
import { attempts, deliveredSeconds } from './meters.ts'
import { attemptsMax, retryDelayMs } from './retry-policy.ts'

/** One attempt may take this long, from the first packet to the end of the answer. */
export const attemptTimeoutMs = 10_000

/** How long a claim holds: an attempt, and time to write its outcome. Afterwards its sender counts as dead. */
export const claimMs = 15_000

/** A process that was frozen between its claim and its attempt may have lost the claim: then it leaves it alone. */
const claimFreshMs = claimMs - attemptTimeoutMs - 1_000

/** Outcomes wait for Postgres, as without them recipients are told twice; during a stop no longer than this. */
const recordWhileStoppingMs = 4_000
const postgresRetryMs = 250

/** How long a delivery in hand may hold up a stop. */
export const finishMs = attemptTimeoutMs + recordWhileStoppingMs

export interface DeliverOptions {
  claim: (job: Job) => Promise<Claimed | undefined>
  record: (attempted: Attempted) => Promise<boolean>
  channels: Readonly<Record<string, Channel>>
  log: Logger
  stopping: AbortSignal
}

/**
 * One attempt of one delivery: claim it, send it, write down what came of it. Nothing is sent without a claim, and a
 * claim is given once, so a job may run twice. Dying before the claim leaves a job, dying after it leaves a row that is
 * due in 15 s; dying between the wire and the record is why the wire is at-least-once.
 */
export function createDeliver({ claim, record, channels, log, stopping }: DeliverOptions) {
  return async (job: Job): Promise<void> => {
    const askedAt = performance.now()
    const claimed = await overOutages(
      () => claim(job),
      () => stopping.aborted,
    )
    if (claimed === undefined || performance.now() - askedAt > claimFreshMs) return

    const startedAt = new Date()
    const startedMs = performance.now()
    const outcome = await attempt(claimed, channels, log)
    const durationMs = Math.round(performance.now() - startedMs)
    const attempted = { ...job, startedAt, durationMs, ...consequence(claimed, outcome) }

    const recordFrom = performance.now()
    const decided = await overOutages(
      () => record(attempted),
      () => stopping.aborted && performance.now() - recordFrom > recordWhileStoppingMs,
    )
    observe(claimed, attempted, decided, log)
  }
}

/** undefined when there is nobody to send to: the endpoint was deleted or turned off since. */
async function attempt(
  claimed: Claimed,
  channels: DeliverOptions['channels'],
  log: Logger,
): Promise<Outcome | undefined> {
  if (claimed.recipient === undefined) return undefined
  const channel = channels[claimed.kind]
  if (channel === undefined) return { verdict: 'permanent', errorCode: 'no_such_channel' }
  if (claimed.attempt > attemptsMax) return { verdict: 'permanent', errorCode: 'interrupted_too_often' }
  try {
    return await channel.send(claimed.message, claimed.recipient, AbortSignal.timeout(attemptTimeoutMs))
  } catch (error) {
    // A bug of the channel. Other deliveries go on, and this one has the tries that it has.
    log.error({ err: error, delivery_id: claimed.deliveryId, channel: claimed.kind }, 'a channel failed unexpectedly')
    return { verdict: 'retry', errorCode: 'internal', reply: messageOf(error) }
  }
}

type Consequence = Pick<Attempted, 'state' | 'retryDelayMs' | 'replyCode' | 'reply' | 'errorCode'>

/** What an outcome means for the delivery: done, over, or another try and when. */
export function consequence({ attempt }: Pick<Job, 'attempt'>, outcome: Outcome | undefined): Consequence {
  if (outcome === undefined) return { state: 'skipped', errorCode: 'endpoint_gone' }
  const { verdict, ...answer } = outcome
  if (verdict === 'delivered') return { state: 'delivered', ...answer }
  const delayMs = verdict === 'permanent' ? undefined : retryDelayMs(attempt)
  return delayMs === undefined
    ? { state: 'failed', ...answer }
    : { state: 'scheduled', retryDelayMs: delayMs, ...answer }
}

async function overOutages<T>(work: () => Promise<T>, giveUp: () => boolean): Promise<T> {
  for (;;) {
    try {
      return await work()
    } catch (error) {
      if (!isRetryable(error) || giveUp()) throw error
      await sleep(postgresRetryMs)
    }
  }
}

function observe({ kind, message }: Claimed, attempted: Attempted, decided: boolean, log: Logger): void {
  const { state, errorCode, deliveryId, attempt, replyCode } = attempted
  attempts.inc({ channel: kind, outcome: state, error: errorCode ?? '' })
  if (!decided) return
  if (state === 'delivered') {
    deliveredSeconds.observe({ channel: kind }, Math.max(0, Date.now() - Date.parse(message.alert.event_ts)) / 1_000)
    return
  }
  const facts = { delivery_id: deliveryId, team_id: message.teamId, alert_id: message.alert.alert_id, channel: kind }
  const level = state === 'failed' ? 'warn' : 'debug'
  log[level]({ ...facts, attempt, error_code: errorCode, reply_code: replyCode }, `delivery ${state}`)
}
