import { decodeMessage, type InvalidMessage } from '@tocsin/contracts/decode'
import { AppError } from '@tocsin/runtime/errors'
import { createLogger } from '@tocsin/runtime/logger'
import { metrics } from '@tocsin/runtime/metrics'
import { describe, expect, it } from 'vitest'
import { consumer, final, type In, place, retryable, schema } from '../test/consumer.ts'
import { consume, type Stage } from './consume.ts'
import { failed, type Rejection } from './failure.ts'
import { createMemorySource } from './memory-source.ts'

describe('consume', () => {
  it('hands over a batch in order and commits behind it', async () => {
    const { publish, runDry, handled, committed } = consumer(() => {})
    publish(1, 2, 3)
    await runDry()
    expect(handled).toEqual([1, 2, 3])
    expect(committed()).toBe(3)
  })

  it('puts bytes that are no valid event aside, a tombstone too, and goes on', async () => {
    const { publish, runDry, handled, rejected, committed } = consumer(() => {})
    publish(1, 'no json', null, '{"n":"two"}', 3)
    await runDry()
    expect(handled).toEqual([1, 3])
    expect(rejected.map(({ record, failure }) => [record.offset, (failure.error as InvalidMessage).code])).toEqual([
      [1, 'not_json'],
      [2, 'not_json'],
      [3, 'not_the_schema'],
    ])
    expect(rejected[0]?.failure).toMatchObject({ attempts: 1, firstFailedAt: rejected[0]?.failure.lastFailedAt })
    expect(committed()).toBe(5)
  })

  it('commits a batch that has nothing valid in it', async () => {
    const { publish, runDry, committed } = consumer(() => {
      throw new Error('there is nothing to handle')
    })
    publish('no', null)
    await runDry()
    expect(committed()).toBe(2)
  })

  it('tries the same batch again while a failure is retryable, and commits nothing meanwhile', async () => {
    const calls: number[][] = []
    const committedThen: number[] = []
    const { publish, runDry, handled, rejected, committed } = consumer(numbers => {
      calls.push(numbers)
      committedThen.push(committed())
      if (calls.length < 20) throw retryable()
    })
    publish(1, 2)
    await runDry()
    expect(calls).toEqual(Array.from({ length: 20 }, () => [1, 2]))
    expect(new Set(committedThen)).toEqual(new Set([0]))
    expect(handled).toEqual([1, 2])
    expect(rejected).toEqual([])
    expect(committed()).toBe(2)
  })

  it('leaves the batch to the next owner when it is stopped while it tries again', async () => {
    const { publish, run, stop, committed } = consumer(
      () => {
        setTimeout(stop, 5)
        throw retryable()
      },
      { backoff: { baseMs: 60_000, capMs: 60_000 } },
    )
    publish(1)
    await run()
    expect(committed()).toBe(0)
  })

  it('gives a batch in back-off away at once when the group rebalances, and reads it again', async () => {
    let calls = 0
    const { source, publish, runDry, handled } = consumer(
      () => {
        if (++calls > 1) return
        setTimeout(() => source.rebalance(), 5)
        throw retryable()
      },
      { backoff: { baseMs: 60_000, capMs: 60_000 } },
    )
    publish(1, 2)
    await runDry()
    expect(calls).toBe(2)
    expect(handled).toEqual([1, 2])
  })

  it('takes what a handler throws when it is told to stop for what it is, and for no bug', async () => {
    const { publish, run, stop, rejected, committed } = consumer(async (_, stopping) => {
      setTimeout(stop, 5)
      await new Promise((_, reject) => stopping.addEventListener('abort', () => reject(stopping.reason)))
    })
    publish(1)
    await run()
    expect(rejected).toEqual([])
    expect(committed()).toBe(0)
  })

  it('finds the one event that a bug fails on, rejects it with its attempts, and handles all others in order', async () => {
    const bug = new TypeError('undefined is not a function')
    const { publish, runDry, handled, rejected, committed } = consumer(numbers => {
      if (numbers.includes(6)) throw bug
    })
    publish(...Array.from({ length: 10 }, (_, n) => n))
    await runDry()
    expect(handled).toEqual([0, 1, 2, 3, 4, 5, 7, 8, 9])
    expect(rejected).toHaveLength(1)
    expect(rejected[0]?.record.offset).toBe(6)
    expect(rejected[0]?.failure.error).toBe(bug)
    expect(rejected[0]?.failure.attempts).toBeGreaterThan(1)
    expect(committed()).toBe(10)
  })

  it('tells the dead letters of a record that is handled but for a part, and handles nothing again', async () => {
    const source = createMemorySource()
    source.publish(place, { value: '{"n":1}' }, { value: '{"n":2}' })
    const stop = new AbortController()
    const rejected: Rejection[] = []
    const calls: number[] = []
    const stage: Stage<In> = {
      name: 'test',
      decode: record => decodeMessage(schema, record.value),
      async handle(events) {
        calls.push(events.length)
        return [{ record: events[1]!.record, failure: failed(undefined, final()) }]
      },
    }
    const running = consume(source, stage, {
      log: createLogger('test', 'silent'),
      stopping: stop.signal,
      reject: async all => {
        expect(source.committed(place)).toBe(0)
        rejected.push(...all)
      },
    })
    await source.drained()
    stop.abort()
    await running
    expect(calls).toEqual([2])
    expect(rejected.map(({ record }) => record.offset)).toEqual([1])
  })

  it('gives an event that is alone a second chance before it is rejected', async () => {
    let calls = 0
    const { publish, runDry, handled, rejected } = consumer(() => {
      if (++calls === 1) throw new Error('once')
    })
    publish(1)
    await runDry()
    expect(handled).toEqual([1])
    expect(rejected).toEqual([])
  })

  it('never stops the service for failures that are known to be about the record', async () => {
    const { publish, runDry, rejected, committed } = consumer(() => {
      throw final()
    })
    publish(...Array.from({ length: 100 }, (_, n) => n))
    await runDry()
    expect(rejected).toHaveLength(100)
    expect(committed()).toBe(100)
  })

  it('does not commit before the dead letters are safe', async () => {
    let attempts = 0
    const { publish, runDry, committed } = consumer(() => {}, {
      reject: async () => {
        expect(committed()).toBe(0)
        if (++attempts < 10) throw new AppError('kafka_unavailable', 'away', { retryable: true })
      },
    })
    publish('no', 1)
    await runDry()
    expect(attempts).toBe(10)
    expect(committed()).toBe(2)
  })

  it('stops the service when dead letters cannot be written for good', async () => {
    const { publish, run, committed } = consumer(() => {}, {
      reject: async () => {
        throw new Error('a bug')
      },
    })
    publish('no')
    await expect(run()).rejects.toThrow('a bug')
    expect(committed()).toBe(0)
  })

  it('keeps the others going while one partition waits', async () => {
    const { source, publish, run, stop } = consumer(numbers => {
      if (numbers.includes(1)) throw retryable()
    })
    publish(1)
    const other = { topic: 'alerts.new', partition: 1 }
    source.publish(other, { value: '{"n":2}' })
    const running = run()
    while (source.committed(other) === 0) await new Promise(resolve => setTimeout(resolve, 1))
    expect(source.committed(place)).toBe(0)
    stop()
    await running
  })

  it('counts what it did and tells the lag of its own partitions', async () => {
    const text = async () => (await metrics.metrics()).split('\n').filter(line => line.includes('stage="metered"'))
    const source = createMemorySource({ batchRecordsMax: 2 })
    const stop = new AbortController()
    let calls = 0
    const stage: Stage<In> = {
      name: 'metered',
      decode: record => decodeMessage(schema, record.value),
      async handle() {
        if (++calls === 1) throw retryable()
        if (calls === 3) expect(await text()).toEqual(expect.arrayContaining([lag(1), since(1_700_000_002)]))
      },
    }
    const lag = (records: number) =>
      `tocsin_consumer_lag_records{stage="metered",topic="alerts.new",partition="0"} ${records}`
    const since = (seconds: number) =>
      `tocsin_consumer_lag_since_seconds{stage="metered",topic="alerts.new",partition="0"} ${seconds}`
    const sent = ['{"n":1}', 'no', '{"n":3}'].map((value, n) => ({ value, timestamp: (1_700_000_000 + n) * 1_000 }))
    source.publish(place, ...sent)
    const running = consume(source, stage, {
      log: createLogger('test', 'silent'),
      stopping: stop.signal,
      reject: async () => {},
      backoff: { baseMs: 1 },
    })
    await source.drained()
    stop.abort()
    await running
    const lines = await text()
    expect(lines).toContain('tocsin_consumer_records_total{stage="metered"} 2')
    expect(lines).toContain('tocsin_consumer_rejected_total{stage="metered",code="not_json"} 1')
    expect(lines).toContain('tocsin_consumer_retries_total{stage="metered"} 1')
    expect(lines).toContain('tocsin_consumer_batch_duration_seconds_count{stage="metered"} 2')
    expect(lines).toEqual(expect.arrayContaining([lag(0), since(0)]))
  })
})
