import { randomUUID } from 'node:crypto'
import { type Redis, rethrowRedis } from '@tocsin/redis/connection'
import { endsWithin, pause } from '@tocsin/runtime/backoff'
import { messageOf } from '@tocsin/runtime/errors'
import type { Logger } from '@tocsin/runtime/logger'
import { Queue, Worker } from 'bullmq'
import type { Job } from './deliveries-store.ts'

const queueName = 'deliveries'

/**
 * Jobs in Redis at most, about: some 600 bytes each. What does not fit waits in Postgres, which is where all of it is
 * anyway, so a backlog of any length takes no more of Redis than this.
 */
const queuedMax = 20_000

/** How long Redis may take to take note of a stop. */
const closeMs = 2_000

export interface DeliveryQueue {
  /** Adding a job that is still there does nothing: the id is that of the attempt. Throws while Redis is away. */
  add(jobs: readonly Job[]): Promise<void>
  /**
   * Adds jobs for rows that were due, whatever Redis holds: a job of a killed sender stays "active" there for up to a
   * minute, and one of the same id would be dropped in its favour. Should both run, the claim goes to one of them.
   */
  addAgain(jobs: readonly Job[]): Promise<void>
  /** How many more jobs the queue has room for. Throws while Redis is away. */
  room(): Promise<number>
  counts(): Promise<Record<string, number>>
  close(): Promise<void>
}

/** `redis` is one whose commands fail at once when Redis is away: nobody here can wait for it. */
export function createDeliveryQueue(redis: Redis, keyPrefix: string, log: Logger): DeliveryQueue {
  const queue = new Queue<Job>(queueName, {
    connection: redis,
    prefix: bullPrefix(keyPrefix),
    defaultJobOptions: { removeOnComplete: true, removeOnFail: true },
    // BullMQ keeps a log of events for listeners; we have none.
    streams: { events: { maxLen: 100 } },
  })
  queue.on('error', error => log.debug({ error: messageOf(error) }, 'queue'))
  const addBulk = async (jobs: readonly Job[], idOf: (job: Job) => string) => {
    if (jobs.length === 0) return
    const bulk = jobs.map(job => ({ name: 'attempt', data: job, opts: { jobId: idOf(job) } }))
    await queue.addBulk(bulk).catch(rethrowRedis)
  }
  // BullMQ wants no `:` in an id and no integer.
  const idOf = (job: Job) => `${job.deliveryId}_${job.attempt}`
  return {
    add: jobs => addBulk(jobs, idOf),
    addAgain: jobs => addBulk(jobs, job => `${idOf(job)}_${randomUUID()}`),
    async room() {
      const waiting = await queue.getWaitingCount().catch(rethrowRedis)
      return Math.max(0, queuedMax - waiting)
    },
    counts: () => queue.getJobCounts('waiting', 'active').catch(rethrowRedis),
    close: () => queue.close(),
  }
}

export interface WorkersOptions {
  concurrency: number
  work: (job: Job) => Promise<void>
}

/**
 * Runs jobs until `stopping`, then finishes those in hand, with Redis or without. `redis` is a patient one, as BullMQ waits in a blocking read.
 * What happens to a job in Redis decides nothing: a job that is lost, or run twice after a stall, is made right by the
 * row in Postgres.
 */
export async function runWorkers(
  redis: Redis,
  keyPrefix: string,
  log: Logger,
  { concurrency, work }: WorkersOptions,
  stopping: AbortSignal,
): Promise<void> {
  const inHand = new Set<Promise<void>>()
  const tracked = async (job: Job) => {
    const done = work(job)
    inHand.add(done)
    await done.finally(() => inHand.delete(done))
  }
  const worker = new Worker<Job>(queueName, job => tracked(job.data), {
    connection: redis,
    prefix: bullPrefix(keyPrefix),
    concurrency,
    // When Redis comes back, workers should too.
    runRetryDelay: 1_000,
  })
  worker.on('error', error => log.debug({ error: messageOf(error) }, 'queue worker'))
  worker.on('failed', (job, error) => log.error({ err: error, delivery_id: job?.data.deliveryId }, 'a job failed'))
  while (!stopping.aborted) await pause(60 * 60 * 1_000, stopping)
  const closed = worker.close().catch(error => log.debug({ error: messageOf(error) }, 'closing the queue worker'))
  await Promise.allSettled(inHand)
  // What else it waits for is Redis. Without it the jobs stay there as active, and their rows say that they are done.
  if (!(await endsWithin(closed, closeMs))) log.warn('Redis does not answer; the queue worker is left as it is')
}

const bullPrefix = (keyPrefix: string) => `${keyPrefix}bull`
