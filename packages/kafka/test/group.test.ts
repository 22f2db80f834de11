import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { AppError } from '@tocsin/runtime/errors'
import { describe, expect } from 'vitest'
import type { KafkaClient } from '../src/client.ts'
import { consume } from '../src/consume.ts'
import { createKafkaSource, type KafkaSourceOptions } from '../src/kafkajs-source.ts'
import type { Batch, TopicPartition } from '../src/source.ts'
import { admin, committedOf, eventually, makeTopic, sizeOf, test } from './broker.ts'
import { commitRequests } from './commit-requests.ts'
import { cutter } from './cut.ts'
import { answerNotCoordinatorOnce, expeller } from './expel.ts'

/** The shortest that brokers allow, so that the tests need not wait longer. */
const sessionTimeoutMs = 6_000

describe('a consumer group', () => {
  test.concurrent('reads all nine partitions, with any number of members', async ({ client, producer }) => {
    const topic = await makeTopic(client, 'nine')
    const sent = await producer.send(Array.from({ length: 200 }, (_, n) => ({ topic, key: `k${n}`, value: `${n}` })))
    expect(new Set(sent.map(({ partition }) => partition)).size).toBe(9)
    const seen = new Set<string>()
    const take = async (batch: Batch) => {
      for (const record of batch.records) seen.add(String(record.value))
      await batch.commit(batch.records.at(-1)!.offset + 1)
    }
    const members = [1, 2, 3].map(() => member(client, topic, take))
    await eventually(() => expect(members.map(({ owns }) => owns().length)).toEqual([3, 3, 3]))
    await eventually(() => expect(seen.size).toBe(200))
    await members[0]!.stop()
    await eventually(() => expect(members.slice(1).flatMap(({ owns }) => owns())).toHaveLength(9))
    await Promise.all(members.map(({ stop }) => stop()))
  })

  test.concurrent('takes over the work of a process that was killed, from its last commit', async ({
    client,
    producer,
  }) => {
    const topic = await makeTopic(client, 'killed', 1)
    await producer.send([1, 2, 3].map(n => ({ topic, key: null, value: String(n) })))
    const file = join(import.meta.dirname, 'member.ts')
    const args = [file, client.topicPrefix, client.group('g'), topic, String(sessionTimeoutMs)]
    const other = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
    const [line] = await once(other.stdout, 'data')
    expect(String(line)).toContain('holds 0/0')
    const next = member(client, topic, batch => batch.commit(batch.records.at(-1)!.offset + 1))
    other.kill('SIGKILL')
    const killedAt = Date.now()
    await eventually(async () => expect(await committedOf(client, client.group('g'), topic)).toEqual(new Map([[0, 3]])))
    expect(Date.now() - killedAt).toBeLessThan(20_000)
    await next.stop()
  })

  test.concurrent('keeps a batch that takes longer than the session', async ({ client, producer }) => {
    const topic = await makeTopic(client, 'slow', 2)
    await producer.send([{ topic, key: 'a', value: 'slow' }])
    let batches = 0
    const slow = member(client, topic, async batch => {
      batches++
      await sleep(sessionTimeoutMs * 1.7)
      expect(batch.handover.aborted).toBe(false)
      await batch.commit(1)
    })
    await eventually(async () => expect((await committedOf(client, client.group('g'), topic)).size).toBe(1))
    expect(batches).toBe(1)
    await slow.stop()
  })

  test.concurrent('lets the batch in hand finish and commit before a rebalance, and loses nothing', async ({
    client,
    producer,
  }) => {
    const topic = await makeTopic(client, 'rebalance')
    await producer.send(Array.from({ length: 90 }, (_, n) => ({ topic, key: `k${n}`, value: `${n}` })))
    const handled: string[] = []
    let inHand = 0
    const take = async (batch: Batch) => {
      inHand++
      await sleep(2_500) // longer than a batch may hold up its fellows, shorter than the rebalance may take
      handled.push(...batch.records.map(record => `${record.partition}/${record.offset}`))
      await batch.commit(batch.records.at(-1)!.offset + 1)
      inHand--
    }
    const first = member(client, topic, take)
    await eventually(() => expect(inHand).toBe(9))
    const second = member(client, topic, take)
    await eventually(() => expect([first.owns().length, second.owns().length].toSorted()).toEqual([4, 5]))
    const size = await sizeOf(client, topic)
    await eventually(() => expect(new Set(handled).size).toBe(size))
    await Promise.all([first.stop(), second.stop()])
    expect(handled.toSorted()).toEqual(Array.from(new Set(handled)).toSorted()) // nothing twice
  })

  test('commits the partitions that are done at the same time with one request', async ({ client, producer }) => {
    using requests = commitRequests(client.group('g'))
    const topic = await makeTopic(client, 'together')
    const { promise: allInHand, resolve: release } = Promise.withResolvers<void>()
    let inHand = 0
    await producer.send(Array.from({ length: 90 }, (_, n) => ({ topic, key: `k${n}`, value: `${n}` })))
    const only = member(client, topic, async batch => {
      if (++inHand === 9) release()
      await allInHand
      await batch.commit(batch.records.at(-1)!.offset + 1)
    })
    await eventually(async () => expect((await committedOf(client, client.group('g'), topic)).size).toBe(9))
    expect(requests.count).toBe(1)
    await only.stop()
  })

  test('gives a batch in back-off away at once when another member joins', async ({ client, producer }) => {
    const topic = await makeTopic(client, 'backoff', 2)
    await producer.send([0, 1, 2, 3, 4, 5].map(n => ({ topic, key: `k${n}`, value: String(n) })))
    const log = client.log
    const stop = new AbortController()
    const source = () => createKafkaSource(client, { groupId: client.group('g'), topics: [topic], sessionTimeoutMs })
    let calls = 0
    const stuck = consume(
      source(),
      {
        name: 'stuck',
        decode: record => record,
        async handle() {
          calls++
          throw new AppError('away', 'away', { retryable: true })
        },
      },
      { log, stopping: stop.signal, reject: async () => {}, backoff: { baseMs: 600_000, capMs: 600_000 } },
    )
    await eventually(() => expect(calls).toBeGreaterThan(0))
    const joinedAt = Date.now()
    const other = member(client, topic, batch => batch.commit(batch.records.at(-1)!.offset + 1))
    await eventually(() => expect(other.owns()).toHaveLength(1))
    expect(Date.now() - joinedAt).toBeLessThan(5_000)
    await eventually(async () => expect((await committedOf(client, client.group('g'), topic)).size).toBe(1))
    stop.abort()
    await stuck
    await eventually(async () => expect((await committedOf(client, client.group('g'), topic)).size).toBe(2))
    await other.stop()
  })

  test('loses nothing when its connections break, again and again', async ({ client, producer }) => {
    using connections = cutter()
    const topic = await makeTopic(client, 'cut')
    const seen = new Set<string>()
    const reader = member(client, topic, async batch => {
      await sleep(20)
      for (const record of batch.records) seen.add(String(record.value))
      await batch.commit(batch.records.at(-1)!.offset + 1)
    })
    for (let round = 0; round < 6; round++) {
      await producer.send(Array.from({ length: 50 }, (_, n) => ({ topic, key: `k${n}`, value: `${round}/${n}` })))
      await sleep(100 * round)
      connections.cut()
    }
    await eventually(() => expect(seen.size).toBe(300))
    await reader.stop()
  })

  test.concurrent('does not handle the same records again and again once it was put out of the group, but joins again', async ({
    client,
    producer,
  }) => {
    using group = expeller(client.group('g'))
    const topic = await makeTopic(client, 'expelled', 1)
    const handled = new Map<number, number>()
    const only = member(client, topic, async batch => {
      for (const { offset } of batch.records) handled.set(offset, (handled.get(offset) ?? 0) + 1)
      await batch.commit(batch.records.at(-1)!.offset + 1)
    })
    await eventually(() => expect(only.owns()).toEqual([0]))
    await group.expel()
    await eventually(() => expect(group.refused).toBe(1))
    await producer.send([0, 1, 2].map(n => ({ topic, key: null, value: String(n) })))
    await eventually(async () => {
      // Once before it knows, once as a member again; a third time only if that membership is lost too.
      expect(Math.max(...handled.values())).toBeLessThanOrEqual(3)
      expect(await committedOf(client, client.group('g'), topic)).toEqual(new Map([[0, 3]]))
    })
    await only.stop()
  })

  test.concurrent('goes on when what looked like a rebalance was none, while batches were in hand', async ({
    client,
    producer,
  }) => {
    const topic = await makeTopic(client, 'moved', 1)
    const seen: string[] = []
    const inHand = Promise.withResolvers<Batch>()
    const { promise: mayEnd, resolve: end } = Promise.withResolvers<void>()
    const only = member(client, topic, async batch => {
      seen.push(...batch.records.map(record => String(record.value)))
      inHand.resolve(batch)
      await mayEnd
      await batch.commit(batch.records.at(-1)!.offset + 1)
    })
    await producer.send([{ topic, key: null, value: 'in hand' }])
    const { handover } = await inHand.promise
    await answerNotCoordinatorOnce(client.group('g'))
    await eventually(() => expect(handover.aborted).toBe(true))
    end()
    await producer.send([{ topic, key: null, value: 'after it' }])
    await eventually(() => expect(seen).toEqual(['in hand', 'after it']))
    await only.stop()
  })

  test.concurrent('starts at the earliest record that is left when its place in the log has expired', async ({
    client,
    producer,
  }) => {
    const topic = await makeTopic(client, 'expired', 1)
    await producer.send([0, 1, 2, 3].map(n => ({ topic, key: null, value: String(n) })))
    const first = member(client, topic, batch => batch.commit(1))
    await eventually(async () => expect((await committedOf(client, client.group('g'), topic)).size).toBe(1))
    await first.stop()
    await admin(client, async admin => {
      await admin.fetchTopicOffsets(topic) // kafkajs deletes records of topics only that it knows already
      await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: '2' }] })
    })
    const seen: string[] = []
    const second = member(client, topic, async batch => {
      seen.push(...batch.records.map(record => String(record.value)))
      await batch.commit(batch.records.at(-1)!.offset + 1)
    })
    await eventually(() => expect(seen).toEqual(['2', '3']))
    await second.stop()
  })

  test('leaves at once when it is told to stop, so that others need not wait for its session', async ({ client }) => {
    const topic = await makeTopic(client, 'leave')
    const first = member(client, topic, async () => {})
    const second = member(client, topic, async () => {})
    await eventually(() => expect([first.owns().length, second.owns().length].toSorted()).toEqual([4, 5]))
    const began = Date.now()
    await first.stop()
    expect(Date.now() - began).toBeLessThan(2_000)
    await eventually(() => expect(second.owns()).toHaveLength(9))
    expect(Date.now() - began).toBeLessThan(sessionTimeoutMs - 1_000)
    await second.stop()
  })

  test('can be stopped while it joins, and while there is no topic', async ({ client }) => {
    const missing = member(client, `${client.topicPrefix}nowhere`, async () => {})
    await sleep(500)
    expect(() => missing.check()).toThrow(/not a working member/)
    await missing.stop()
    const topic = await makeTopic(client, 'joining')
    for (const afterMs of [0, 5, 20, 50, 100]) {
      const joining = member(client, topic, async () => {})
      await sleep(afterMs)
      await joining.stop()
    }
  })
})

/** A member of group `g`, running until it is stopped. */
function member(
  client: KafkaClient,
  topic: string,
  batch: (batch: Batch) => Promise<void>,
  options: Partial<KafkaSourceOptions> = {},
) {
  const stopping = new AbortController()
  let assigned: readonly TopicPartition[] = []
  const source = createKafkaSource(client, {
    groupId: client.group('g'),
    topics: [topic],
    sessionTimeoutMs,
    ...options,
  })
  const running = source.run(
    {
      batch,
      assigned(partitions) {
        assigned = partitions
      },
    },
    stopping.signal,
  )
  return {
    owns: () => assigned.map(({ partition }) => partition),
    check: () => source.check(),
    stop() {
      stopping.abort()
      return running
    },
  }
}
