import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { endsWithin } from '@tocsin/runtime/backoff'
import { AppError, messageOf } from '@tocsin/runtime/errors'
import type { Logger } from '@tocsin/runtime/logger'
import { Redis } from 'ioredis'
import type { RedisSettings } from './settings.ts'

export type { Redis }

/** Reconnects for ever; between two attempts at most this long, so that work goes on soon after Redis is back. */
const reconnectCapMs = 2_000
/**
 * Who awaits an answer and gets not a byte for this long has nobody at the other end, even if no packet says so: the
 * machine is gone, or its address moved. TCP by itself would go on waiting for a quarter of an hour.
 */
const answerMs = 5_000
/** BullMQ blocks in a read for 10 s at most. */
const patientAnswerMs = 15_000
/** Who only listens awaits no answer: it asks. */
const askEveryMs = 5_000
const quitMs = 1_000

/**
 * After a failover the address leads to another server. Who was the primary keeps its connections, and answers them with
 * one of these; to a transaction, or from within a script of an older Redis, in the middle of its text.
 */
const takesNoWrites = /\b(READONLY|MASTERDOWN|NOREPLICAS)\b/
/** Refusals that are closer than this belong to one outage, which is told once. */
const outageMs = 60_000

/**
 * Commands fail at once while Redis is away instead of queueing in memory without bound: every user has a way to go
 * on without Redis, or a loop that comes back. `patient` is for BullMQ, whose blocking reads must wait.
 */
export function connectRedis(settings: RedisSettings, log: Logger, { patient = false } = {}): Redis {
  const options = {
    maxRetriesPerRequest: patient ? null : 0,
    enableOfflineQueue: patient,
    retryStrategy: (attempt: number) => Math.min(attempt * 100, reconnectCapMs),
    reconnectOnError: reconnectWhereWritesAreTaken(log),
    connectTimeout: answerMs,
    socketTimeout: patient ? patientAnswerMs : answerMs,
    ...(patient ? {} : { commandTimeout: answerMs }),
    ...(settings.REDIS_TLS_CA === undefined ? {} : { tls: { ca: readFileSync(settings.REDIS_TLS_CA, 'utf8') } }),
  }
  const redis = new Redis(settings.REDIS_URL, options)
  tellOutages(redis, log)
  redis.on('ready', () => {
    const asking = setInterval(() => redis.ping().catch(() => {}), askEveryMs).unref()
    redis.once('close', () => clearInterval(asking))
  })
  return redis
}

/** The command still fails: whoever sent it repeats it, and knows better whether that is right. */
function reconnectWhereWritesAreTaken(log: Logger): (error: Error) => boolean {
  let refusedAt = Number.NEGATIVE_INFINITY
  return error => {
    if (!takesNoWrites.test(error.message)) return false
    const isNews = performance.now() - refusedAt > outageMs
    refusedAt = performance.now()
    if (isNews) log.warn({ error: error.message }, 'Redis takes no writes; looking for one that does')
    return true
  }
}

function tellOutages(redis: Redis, log: Logger): void {
  let away = false
  redis.on('error', error => {
    if (!away) log.warn({ error: messageOf(error) }, 'Redis cannot be reached')
    away = true
  })
  redis.on('ready', () => {
    if (away) log.info('Redis is back')
    away = false
  })
}

/** A connection that is just being made is waited for: a start need not be told that it has not been made yet. */
export async function pingRedis(redis: Redis): Promise<void> {
  if (redis.status === 'connecting' || redis.status === 'connect') {
    const over = new AbortController()
    const ends = ['ready', 'close'].map(event => once(redis, event, { signal: over.signal }).catch(() => {}))
    await Promise.race(ends).finally(() => over.abort())
  }
  await redis.ping()
}

/** `quit` waits for an answer that a Redis that is away or frozen never gives; then the socket is just dropped. */
export async function closeRedis(redis: Redis): Promise<void> {
  if (redis.status === 'ready') {
    const quit = redis.quit().catch(() => {})
    await endsWithin(quit, quitMs)
  }
  redis.disconnect()
}

/** All that Redis does can be done again later. */
export function rethrowRedis(error: unknown): never {
  throw new AppError('redis_unavailable', `Redis: ${messageOf(error)}`, { retryable: true, cause: error })
}
