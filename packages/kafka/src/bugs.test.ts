import { setTimeout as sleep } from 'node:timers/promises'
import { createLogger } from '@tocsin/runtime/logger'
import { describe, expect, it } from 'vitest'
import { consumer, failing, place, retryable } from '../test/consumer.ts'
import { consume, type Stage } from './consume.ts'
import type { Rejection } from './failure.ts'
import { createMemorySource } from './memory-source.ts'

describe('a bug', () => {
  it('stops the service when a bug fails everything: nothing committed, nothing in the dead letters', async () => {
    const { publish, run, handled, rejected, committed } = consumer(() => {
      throw new TypeError('undefined is not a function')
    })
    publish(...Array.from({ length: 100 }, (_, n) => n))
    await expect(run()).rejects.toThrow('100 records in a row fail, so the code is wrong: undefined is not a function')
    expect(handled).toEqual([])
    expect(rejected).toEqual([])
    expect(committed()).toBe(0)
  })

  it('stops the service when a bug in the decoder fails everything', async () => {
    const { source, publish } = consumer(() => {})
    publish(...Array.from({ length: 10 }, (_, n) => n))
    const rejected: Rejection[] = []
    const decode = (): never => {
      throw new TypeError('undefined is not a function')
    }
    const running = consume(
      source,
      { name: 'test', decode, handle: async () => {} },
      {
        log: createLogger('test', 'silent'),
        stopping: new AbortController().signal,
        reject: async all => void rejected.push(...all),
        bugs: { unprovenMax: 10, waitMs: 20 },
      },
    )
    await expect(running).rejects.toThrow('in a row')
    expect(rejected).toEqual([])
  })

  it.each([
    ['before them', [0, 0, 0, 0, 0, 1]],
    ['behind them', [1, 0, 0, 0, 0, 0]],
    ['around them', [1, 0, 0, 0, 0, 0, 0, 1]],
  ])('takes bugs for the data’s when good records of the batch stand %s', async (_, numbers) => {
    const { publish, runDry, handled, rejected } = consumer(failing(0), { bugs: { waitMs: 60_000 } })
    publish(...numbers)
    await runDry()
    expect(handled).toEqual(numbers.filter(n => n > 0))
    expect(rejected).toHaveLength(numbers.length - handled.length)
  })

  it('holds a batch of bugs back until another partition succeeds, and then puts it aside', async () => {
    const { source, publish, run, stop, rejected, committed } = consumer(failing(0), { bugs: { waitMs: 60_000 } })
    publish(0, 0, 0, 0, 0)
    const running = run()
    await sleep(20)
    expect([committed(), rejected.length]).toEqual([0, 0])
    source.publish({ ...place, partition: 1 }, { value: '{"n":1}' })
    await source.drained()
    expect([committed(), rejected.length]).toEqual([5, 5])
    stop()
    await running
  })

  it('takes bugs for the data’s when what was handled before is handled still, however many they are', async () => {
    const { source, publish, run, stop, handled, rejected, committed } = consumer(failing(0), {
      bugs: { waitMs: 60_000 },
    })
    publish(1)
    const running = run()
    await source.drained()
    publish(...Array.from({ length: 300 }, () => 0))
    await source.drained()
    expect([committed(), rejected.length]).toEqual([301, 300])
    expect(new Set(handled)).toEqual(new Set([1])) // again and again, to see whether it is handled still
    stop()
    await running
  })

  it('stops when what was handled before fails too: nothing more is put aside', async () => {
    let isBroken = false
    const { source, publish, run, rejected, committed } = consumer(() => {
      if (isBroken) throw new TypeError('undefined is not a function')
    })
    publish(1)
    const running = run()
    await source.drained()
    isBroken = true
    publish(2, 3, 4, 5, 6)
    await expect(running).rejects.toThrow('5 records in a row fail, so the code is wrong')
    expect([committed(), rejected.length]).toEqual([1, 0])
  })

  it('waits, while it asks whether something is handled still, until that can be told', async () => {
    let calls = 0
    const { source, publish, run, stop, rejected, committed } = consumer(numbers => {
      if (numbers.includes(0)) throw new TypeError('undefined is not a function')
      if (++calls > 1 && calls < 5) throw retryable()
    })
    publish(1)
    const running = run()
    await source.drained()
    publish(...Array.from({ length: 10 }, () => 0))
    await source.drained()
    expect([committed(), rejected.length, calls]).toEqual([11, 10, 5])
    stop()
    await running
  })

  it('puts aside whatever a decoder throws that has decoded something before', async () => {
    const source = createMemorySource()
    const stop = new AbortController()
    const rejected: Rejection[] = []
    const stage: Stage<string> = {
      name: 'test',
      decode({ value }) {
        if (String(value) === 'bug') throw new RangeError('Maximum call stack size exceeded')
        return String(value)
      },
      handle: async () => {},
    }
    const running = consume(source, stage, {
      log: createLogger('test', 'silent'),
      stopping: stop.signal,
      reject: async all => void rejected.push(...all),
    })
    source.publish(place, { value: 'good' })
    await source.drained()
    source.publish(place, ...Array.from({ length: 300 }, () => ({ value: 'bug' })))
    await source.drained()
    expect([source.committed(place), rejected.length]).toEqual([301, 300])
    stop.abort()
    await running
  })

  it('gives a batch of bugs that is held back away when it is stopped', async () => {
    const { publish, run, stop, rejected, committed } = consumer(failing(0), { bugs: { waitMs: 60_000 } })
    publish(0, 0, 0, 0, 0)
    setTimeout(stop, 20)
    await run()
    expect([committed(), rejected.length]).toEqual([0, 0])
  })

  it('after a restart, goes on as soon as there is a good record', async () => {
    const { publish, run, runDry, handled, rejected, committed } = consumer(failing(0))
    publish(0, 0, 0, 0, 0)
    for (let restart = 0; restart < 3; restart++) await expect(run()).rejects.toThrow('the code is wrong')
    expect(committed()).toBe(0)
    publish(1)
    await runDry()
    expect([handled, rejected.length, committed()]).toEqual([[1], 5, 6])
  })

  it('goes on for ever when bugs are rare: any success between them starts the count again', async () => {
    const { publish, runDry, rejected, committed } = consumer(numbers => {
      if (numbers.some(n => n % 5 !== 0)) throw new Error('four of five')
    })
    publish(...Array.from({ length: 100 }, (_, n) => n))
    await runDry()
    expect(rejected).toHaveLength(80)
    expect(committed()).toBe(100)
  })
})
