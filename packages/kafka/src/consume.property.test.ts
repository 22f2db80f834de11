import { AppError } from '@tocsin/runtime/errors'
import { createLogger } from '@tocsin/runtime/logger'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { consume, type Stage } from './consume.ts'
import { createMemorySource } from './memory-source.ts'
import type { KafkaRecord, Source } from './source.ts'

/** What is wrong with a record, as its value says. `flaky` fails retryably so many times. */
type Kind = 'good' | 'poison' | 'flaky' | 'final' | 'bug'
type Disturbance = 'rebalance' | 'expire' | 'restart'

const kinds = fc.oneof(
  { weight: 6, arbitrary: fc.constant<Kind>('good') },
  { weight: 4, arbitrary: fc.constantFrom<Kind[]>('poison', 'flaky', 'final', 'bug') },
)
const partitions = fc.array(fc.array(kinds, { maxLength: 25 }), { minLength: 1, maxLength: 3 })
/** At which call of the handler what happens to the consumer. */
const disturbances = fc.array(
  fc.record({
    atCall: fc.integer({ min: 1, max: 60 }),
    what: fc.constantFrom<Disturbance[]>('rebalance', 'expire', 'restart'),
  }),
  { maxLength: 6 },
)

const log = createLogger('test', 'silent')
const topic = 'alerts.new'

it('whatever happens, each record ends handled or rejected, in order, and no commit passes an unfinished one', async () => {
  const property = fc.asyncProperty(
    partitions,
    disturbances,
    fc.integer({ min: 1, max: 12 }),
    async (log, plan, size) => consumeAll(log, plan, size),
  )
  await fc.assert(property, { numRuns: 300 })
}, 60_000)

it('no bugs block a partition while good records stand among them, wherever batches begin and whenever it restarts', async () => {
  const logs = fc.array(fc.array(fc.boolean(), { maxLength: 40 }), { minLength: 1, maxLength: 3 })
  const restarts = fc.array(fc.integer({ min: 1, max: 60 }), { maxLength: 6 })
  const property = fc.asyncProperty(logs, restarts, fc.integer({ min: 1, max: 12 }), consumeBugs)
  await fc.assert(property, { numRuns: 200 })
}, 60_000)

/** Ends when everything is committed. A stop would reject, and a wait for other partitions takes too long. */
async function consumeBugs(logs: boolean[][], restartAtCalls: number[], batchRecordsMax: number): Promise<void> {
  const source = createMemorySource({ batchRecordsMax })
  for (const [partition, log] of logs.entries()) {
    const records = withoutLongRuns([...log, true], batchRecordsMax)
    source.publish({ topic, partition }, ...records.map(isGood => ({ value: isGood ? 'good' : 'bad' })))
  }
  let stop = new AbortController()
  let calls = 0
  const stage: Stage<string> = {
    name: 'property',
    decode: ({ value }) => String(value),
    async handle(events) {
      if (restartAtCalls.includes(++calls)) stop.abort()
      if (events.some(({ value }) => value === 'bad')) throw new TypeError('a bug')
    },
  }
  let done = false
  void source.drained().then(() => {
    done = true
    stop.abort()
  })
  while (!done) {
    await consume(source, stage, { log, stopping: stop.signal, reject: async () => {}, bugs: { waitMs: 60_000 } })
    stop = new AbortController()
    await new Promise(setImmediate)
  }
}

/** A good record in every batch, also in one that begins anywhere. */
function withoutLongRuns(log: readonly boolean[], batchRecordsMax: number): boolean[] {
  let run = 0
  return log.map(isGood => {
    run = isGood || run === batchRecordsMax - 1 ? 0 : run + 1
    return run === 0
  })
}

async function consumeAll(
  published: Kind[][],
  plan: { atCall: number; what: Disturbance }[],
  batchRecordsMax: number,
): Promise<void> {
  const source = createMemorySource({ batchRecordsMax })
  for (const [partition, records] of published.entries()) {
    source.publish({ topic, partition }, ...records.map(value => ({ value })))
  }
  const handled = new Map<string, number>()
  const rejected = new Set<string>()
  const firstHandled: KafkaRecord[] = []
  const failuresLeft = new Map<string, number>()
  let stop = new AbortController()
  let calls = 0

  const stage: Stage<Kind> = {
    name: 'property',
    decode({ value }) {
      if (String(value) === 'poison') throw new AppError('not_valid', 'poison')
      return String(value) as Kind
    },
    async handle(events, stopping) {
      calls++
      for (const { what } of plan.filter(({ atCall }) => atCall === calls)) {
        if (what === 'restart') stop.abort()
        else source[what]()
      }
      await new Promise(setImmediate)
      for (const { value, record } of events) {
        if (value === 'final') throw new AppError('final', 'never')
        if (value === 'bug') throw new TypeError('a bug')
        const left = failuresLeft.get(idOf(record)) ?? (value === 'flaky' ? 2 : 0)
        failuresLeft.set(idOf(record), left - 1)
        if (left > 0) throw new AppError('away', 'not now', { retryable: true })
      }
      if (stopping.aborted && calls % 2 === 0) throw new Error('interrupted')
      for (const { record } of events) {
        if (!handled.has(idOf(record))) firstHandled.push(record)
        handled.set(idOf(record), (handled.get(idOf(record)) ?? 0) + 1)
      }
    },
  }

  const checked = withCheckedCommits(source, ({ partition, offset }) => {
    const id = `${partition}/${offset}`
    expect(handled.has(id) || rejected.has(id), `commit passes ${id}`).toBe(true)
  })

  const drained = source.drained()
  let done = false
  void drained.then(() => {
    done = true
    stop.abort()
  })
  while (!done) {
    await consume(checked, stage, {
      log,
      stopping: stop.signal,
      bugs: { inARowMax: Number.POSITIVE_INFINITY, unprovenMax: Number.POSITIVE_INFINITY },
      backoff: { baseMs: 0, capMs: 0 },
      reject: async rejections => {
        if (++calls % 7 === 0) throw new AppError('kafka_unavailable', 'away', { retryable: true })
        for (const { record } of rejections) rejected.add(idOf(record))
      },
    })
    stop = new AbortController()
    await new Promise(setImmediate)
  }

  for (const [partition, records] of published.entries()) {
    expect(source.committed({ topic, partition })).toBe(records.length)
    for (const [offset, kind] of records.entries()) {
      const isHandled = kind === 'good' || kind === 'flaky'
      expect([handled.has(`${partition}/${offset}`), rejected.has(`${partition}/${offset}`)]).toEqual([
        isHandled,
        !isHandled,
      ])
    }
    const order = firstHandled.filter(record => record.partition === partition).map(record => record.offset)
    expect(order).toEqual(order.toSorted((a, b) => a - b))
  }
}

function withCheckedCommits(source: Source, check: (place: { partition: number; offset: number }) => void): Source {
  return {
    check: () => source.check(),
    run: (handler, stopping) =>
      source.run(
        {
          batch: batch =>
            handler.batch({
              ...batch,
              commit(nextOffset) {
                for (let offset = 0; offset < nextOffset; offset++) check({ partition: batch.partition, offset })
                return batch.commit(nextOffset)
              },
            }),
        },
        stopping,
      ),
  }
}

function idOf({ partition, offset }: KafkaRecord): string {
  return `${partition}/${offset}`
}
