import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it, type TestContext } from 'vitest'
import type { Batch, KafkaRecord, Source, SourceHandler } from '../src/source.ts'

/** One topic with at least three partitions, one group; `open` gives another source of the same group each time. */
export interface Log {
  publish(
    partition: number,
    ...messages: { key?: string; value: string | null; headers?: Record<string, string> }[]
  ): Promise<void>
  open(): Source
  committed(partition: number): Promise<number>
}

/** What every Source does, whichever client is behind it. */
export function sourceContract(name: string, makeLog: (t: TestContext) => Promise<Log>): void {
  describe(`the contract of a source: ${name}`, () => {
    it('gives each partition in order, from its earliest record, with all that the record carries', async t => {
      const log = await makeLog(t)
      await log.publish(0, { key: 'k', value: 'a', headers: { traceparent: '00-1' } }, { value: null })
      await log.publish(1, { value: 'b' })
      const seen = await readWhile(log, records => records.length < 3)
      const [first, tombstone] = seen.filter(record => record.partition === 0)
      expect(first).toMatchObject({ offset: 0, key: Buffer.from('k'), value: Buffer.from('a') })
      expect(first?.headers).toEqual([{ name: 'traceparent', value: Buffer.from('00-1') }])
      expect(Math.abs(first!.timestamp - Date.now())).toBeLessThan(60_000)
      expect(tombstone).toMatchObject({ offset: 1, key: null, value: null, headers: [] })
      expect(seen.filter(record => record.partition === 1).map(text)).toEqual(['b'])
    })

    it('goes on after the commit, in the same run and in the next', async t => {
      const log = await makeLog(t)
      await log.publish(0, { value: 'a' }, { value: 'b' })
      expect((await readWhile(log, records => records.length < 2)).map(text)).toEqual(['a', 'b'])
      await log.publish(0, { value: 'c' })
      const again = await readWhile(log, async records => {
        if (records.length === 1) await log.publish(0, { value: 'd' })
        return records.length < 2
      })
      expect(again.map(text)).toEqual(['c', 'd'])
      expect(await log.committed(0)).toBe(4)
    })

    it('reads a batch again that came back without a commit', async t => {
      const log = await makeLog(t)
      await log.publish(0, { value: 'a' }, { value: 'b' })
      const batches: string[][] = []
      await run(log, async (batch, stop) => {
        batches.push(batch.records.map(text))
        if (batches.length < 3) return
        await batch.commit(2)
        stop()
      })
      expect(batches.map(values => values[0])).toEqual(['a', 'a', 'a'])
      expect(await log.committed(0)).toBe(2)
    })

    it('goes on within a batch that was committed in part', async t => {
      const log = await makeLog(t)
      await log.publish(0, { value: 'a' }, { value: 'b' }, { value: 'c' })
      const firsts: string[] = []
      await run(log, async (batch, stop) => {
        firsts.push(text(batch.records[0]!))
        await batch.commit(batch.records[0]!.offset + 1)
        if (firsts.length === 3) stop()
      })
      expect(firsts).toEqual(['a', 'b', 'c'])
    })

    it('gives one batch of a partition at a time, in order', async t => {
      const log = await makeLog(t)
      let inHand = 0
      const offsets: number[] = []
      const publishing = (async () => {
        for (let n = 0; n < 10; n++) await log.publish(0, { value: `${n}a` }, { value: `${n}b` })
      })()
      await run(log, async (batch, stop) => {
        expect(++inHand).toBe(1)
        await sleep(5)
        offsets.push(...batch.records.map(record => record.offset))
        await batch.commit(batch.records.at(-1)!.offset + 1)
        inHand--
        if (offsets.length === 20) stop()
      })
      await publishing
      expect(offsets).toEqual(Array.from({ length: 20 }, (_, offset) => offset))
    })

    it('keeps other partitions going while one waits', async t => {
      const log = await makeLog(t)
      await log.publish(0, { value: 'slow' })
      await log.publish(1, { value: 'first' })
      const others: string[] = []
      let slowDone = false
      await run(log, async (batch, stop) => {
        if (batch.partition === 0) {
          // Until the other partition had batches that were published later than this one was begun.
          while (others.length < 3) await sleep(10)
          slowDone = true
          await batch.commit(1)
          return stop()
        }
        others.push(...batch.records.map(text))
        await batch.commit(batch.records.at(-1)!.offset + 1)
        if (others.length < 3) await log.publish(1, { value: `next ${others.length}` })
      })
      expect(slowDone).toBe(true)
      expect(await log.committed(0)).toBe(1)
      expect(await log.committed(1)).toBe(3)
    })

    it('goes on with a partition that was slow', async t => {
      const log = await makeLog(t)
      await log.publish(0, { value: 'slow' })
      const seen: string[] = []
      await run(log, async (batch, stop) => {
        if (seen.length === 0) await sleep(1_200)
        seen.push(...batch.records.map(text))
        await batch.commit(batch.records.at(-1)!.offset + 1)
        if (seen.length < 3) await log.publish(0, { value: `next ${seen.length}` })
        else stop()
      })
      expect(seen).toEqual(['slow', 'next 1', 'next 2'])
    })

    it('when stopping fires the handover, waits for the batch in hand and takes its commit', async t => {
      const log = await makeLog(t)
      await log.publish(0, { value: 'a' })
      let handedOver = false
      await run(log, async (batch, stop) => {
        stop()
        await sleep(700)
        handedOver = batch.handover.aborted
        await batch.commit(1)
      })
      expect(handedOver).toBe(true)
      expect(await log.committed(0)).toBe(1)
    })

    it('ends with what the handler threw, nothing committed, and fires the handover of other batches', async t => {
      const log = await makeLog(t)
      await log.publish(0, { value: 'bad' })
      await log.publish(1, { value: 'waiting' })
      const failure = new Error('a bug')
      let waiting: AbortSignal | undefined
      const running = run(log, async batch => {
        if (batch.partition === 1) {
          waiting = batch.handover
          while (!batch.handover.aborted) await sleep(10)
          return
        }
        while (waiting === undefined) await sleep(10)
        throw failure
      })
      await expect(running).rejects.toBe(failure)
      expect(waiting?.aborted).toBe(true)
      expect(await log.committed(0)).toBe(0)
    })

    it('tells which partitions are its own, and whether it works', async t => {
      const log = await makeLog(t)
      await log.publish(0, { value: 'a' })
      const source = log.open()
      expect(() => source.check()).toThrow()
      const stop = new AbortController()
      const assigned: number[][] = []
      const handler: SourceHandler = {
        async batch(batch) {
          source.check()
          await batch.commit(1)
          stop.abort()
        },
        assigned: partitions => void assigned.push(partitions.map(({ partition }) => partition)),
      }
      await source.run(handler, stop.signal)
      expect(assigned).toHaveLength(1)
      expect(assigned[0]).toContain(0)
      expect(() => source.check()).toThrow()
    })

    it('returns at once when it is told to stop before it begins', async t => {
      const log = await makeLog(t)
      await log.publish(0, { value: 'a' })
      let batches = 0
      await log.open().run({ batch: async () => void batches++ }, AbortSignal.abort())
      expect(batches).toBe(0)
    })
  })
}

async function run(log: Log, onBatch: (batch: Batch, stop: () => void) => Promise<void>): Promise<void> {
  const stop = new AbortController()
  await log.open().run({ batch: batch => onBatch(batch, () => stop.abort()) }, stop.signal)
}

/** Commits everything, until `goOn` says that it was enough; resolves with all records seen. */
async function readWhile(
  log: Log,
  goOn: (records: KafkaRecord[]) => boolean | Promise<boolean>,
): Promise<KafkaRecord[]> {
  const records: KafkaRecord[] = []
  await run(log, async (batch, stop) => {
    records.push(...batch.records)
    await batch.commit(batch.records.at(-1)!.offset + 1)
    if (!(await goOn(records))) stop()
  })
  return records
}

function text(record: KafkaRecord): string {
  return String(record.value)
}
