import { decodeMessage } from '@tocsin/contracts/decode'
import { AppError } from '@tocsin/runtime/errors'
import { createLogger } from '@tocsin/runtime/logger'
import { z } from 'zod'
import { type ConsumeOptions, consume, type Event, type Stage } from '../src/consume.ts'
import type { Rejection } from '../src/failure.ts'
import { createMemorySource } from '../src/memory-source.ts'

export const place = { topic: 'alerts.new', partition: 0 }
export const schema = z.object({ n: z.number() })
export type In = z.infer<typeof schema>

export const retryable = () => new AppError('database_away', 'the database is away', { retryable: true })
export const final = () => new AppError('record_too_large', 'the record is too large')

export const failing = (bad: number) => (numbers: number[]) => {
  if (numbers.includes(bad)) throw new TypeError('undefined is not a function')
}

/** A stage over one partition; `handle` gets the numbers. Runs until everything is committed, or until it ends. */
export function consumer(
  handle: (numbers: number[], stopping: AbortSignal) => Promise<void> | void,
  more: Partial<ConsumeOptions> = {},
) {
  const source = createMemorySource()
  const stop = new AbortController()
  const handled: number[] = []
  const rejected: Rejection[] = []
  const stage: Stage<In> = {
    name: 'test',
    decode: record => decodeMessage(schema, record.value),
    async handle(events: readonly Event<In>[], stopping) {
      const numbers = events.map(event => event.value.n)
      await handle(numbers, stopping)
      handled.push(...numbers)
    },
  }
  const run = () =>
    consume(source, stage, {
      log: createLogger('test', 'silent'),
      stopping: stop.signal,
      reject: async rejections => void rejected.push(...rejections),
      backoff: { baseMs: 1, capMs: 2 },
      ...more,
      bugs: { unprovenMax: 5, waitMs: 20, ...more.bugs },
    })
  const publish = (...values: (number | string | null)[]) =>
    source.publish(
      place,
      ...values.map(value => ({ value: typeof value === 'number' ? JSON.stringify({ n: value }) : value })),
    )
  return {
    source,
    publish,
    run,
    stop: () => stop.abort(),
    handled,
    rejected,
    committed: () => source.committed(place),
    async runDry() {
      const running = run()
      await Promise.race([source.drained(), running])
      stop.abort()
      await running
    },
  }
}
