import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from '@tocsin/runtime/logger'
import { eventually } from '@tocsin/testkit/eventually'
import { type Gate, startGate, targetOf } from '@tocsin/testkit/gate'
import { hasRedisPairs, type RedisPair, startRedisPair, tellRedis } from '@tocsin/testkit/redis-pair'
import { testServers } from '@tocsin/testkit/servers'
import { afterAll, test as base, beforeAll, describe, expect } from 'vitest'
import { closeRedis, connectRedis, type Redis } from '../src/connection.ts'
import { log } from './private-redis.ts'

interface Fixtures {
  /** Closed when the test ends. */
  connectTo: (at: { url: string } | Gate, options?: { patient?: boolean; log?: Logger }) => Promise<Redis>
  /** In front of the Redis of all tests; open. */
  gate: Gate
}

const test = base.extend<Fixtures>({
  // biome-ignore lint/correctness/noEmptyPattern: vitest reads the names of the fixtures that a fixture needs from here
  connectTo: async ({}, use) => {
    const connected: Redis[] = []
    await use(async (at, options = {}) => {
      const url = 'url' in at ? at.url : `redis://${at.host}:${at.port}`
      const settings = { REDIS_URL: url, REDIS_TLS_CA: undefined, REDIS_KEY_PREFIX: '' }
      const redis = connectRedis(settings, options.log ?? log, options)
      connected.push(redis)
      await new Promise(resolve => redis.once('ready', resolve))
      return redis
    })
    await Promise.all(connected.map(closeRedis))
  },

  // biome-ignore lint/correctness/noEmptyPattern: as above
  gate: async ({}, use) => {
    await using gate = await startGate(targetOf(testServers().redisUrl))
    await gate.open()
    await use(gate)
  },
})

const quiet = { debug() {}, info() {}, warn() {}, error() {} }

const untilItWorks = <T>(work: () => Promise<T>) => eventually(work, { withinMs: 25_000 })

describe.runIf(hasRedisPairs)('a connection to a server that takes no writes any more is replaced', () => {
  let pair: RedisPair
  beforeAll(async () => {
    pair = await startRedisPair()
  })
  afterAll(() => pair?.[Symbol.asyncDispose]())

  const writes: [string, (redis: Redis, value: string) => Promise<unknown>][] = [
    ['a command', (redis, value) => redis.set('key', value)],
    ['a script', (redis, value) => redis.eval(`redis.call('SET', KEYS[1], ARGV[1])`, 1, 'key', value)],
    ['a transaction', (redis, value) => redis.multi().set('key', value).exec()],
    ['a pipeline', async (redis, value) => throwFirst(await redis.pipeline().set('key', value).exec())],
  ]
  const cases = writes.flatMap(([name, write]) => [false, true].map(patient => ({ name, write, patient })))
  test.for(cases)('$name after a failover (patient: $patient)', async ({ write, patient }, { connectTo }) => {
    const redis = await connectTo(pair, { patient })
    await write(redis, 'before')
    await pair.failOver()
    await untilItWorks(() => write(redis, 'after'))
    expect(await tellRedis(pair.primary, 'GET key')).toContain('after')
  })

  test('a reader of a replica that has lost its primary', async ({ connectTo }) => {
    const redis = await connectTo(pair)
    await redis.set('key', 'x')
    await pair.failOver()
    await tellRedis(pair.replica, 'CONFIG SET replica-serve-stale-data no')
    await tellRedis(pair.replica, 'REPLICAOF 127.0.0.1 1')
    expect(await untilItWorks(() => redis.get('key'))).toBe('x')
    await tellRedis(pair.replica, 'CONFIG SET replica-serve-stale-data yes')
  })

  test('again and again while no other one is there, and that is told once', async ({ connectTo }) => {
    const told: string[] = []
    const telling = { ...quiet, warn: (_: unknown, text: string) => told.push(text) } as unknown as Logger
    const redis = await connectTo(pair, { log: telling })
    let connected = 0
    redis.on('ready', () => connected++)
    await tellRedis(pair.primary, 'REPLICAOF 127.0.0.1 1')
    await untilItWorks(async () => {
      await expect(redis.set('key', 'x')).rejects.toThrow()
      expect(connected).toBeGreaterThan(2)
    })
    expect(told).toEqual([expect.stringContaining('takes no writes')])
    await tellRedis(pair.primary, 'REPLICAOF NO ONE')
    await untilItWorks(() => redis.set('key', 'x'))
  })

  test('a writer to a primary that is cut off from its replicas', async ({ connectTo }) => {
    const redis = await connectTo(pair)
    const cutOff = pair.primary
    await tellRedis(pair.replica, 'REPLICAOF NO ONE')
    await tellRedis(cutOff, 'CONFIG SET min-replicas-to-write 1')
    pair.gate.moveTo(pair.replica)
    await untilItWorks(() => redis.set('key', 'after the cut'))
    expect(await tellRedis(pair.replica, 'GET key')).toContain('after the cut')
  })
})

describe.concurrent('a connection whose other end has vanished without a word is replaced, and no other', () => {
  test('one that asks', async ({ connectTo, gate, expect }) => {
    const redis = await connectTo(gate)
    gate.freeze()
    await expect(redis.ping()).rejects.toThrow()
    await gate.open()
    await untilItWorks(() => redis.ping())
  })

  test('one that only listens', async ({ connectTo, gate, expect }) => {
    const redis = await connectTo({ url: testServers().redisUrl })
    const subscriber = await connectTo(gate)
    const channel = `channel of ${gate.port}`
    await subscriber.subscribe(channel)
    const heard: string[] = []
    subscriber.on('message', (_, message) => heard.push(message))
    gate.freeze()
    await redis.publish(channel, 'lost')
    await gate.open()
    await untilItWorks(async () => {
      await redis.publish(channel, 'again')
      expect(heard).toContain('again')
    })
    expect(heard).not.toContain('lost')
  })

  test('a patient one, which then asks again', async ({ connectTo, gate, expect }) => {
    const redis = await connectTo(gate, { patient: true })
    gate.freeze()
    const answer = redis.ping()
    await gate.open()
    expect(await answer).toBe('PONG')
  })

  test.for([false, true])('one that was just made (patient: %s)', async (patient, { connectTo, gate }) => {
    gate.freeze()
    const connecting = connectTo(gate, { patient })
    await sleep(100)
    await gate.open()
    await connecting
  })

  test('not one with nothing to do, nor one that hears nothing', async ({ connectTo, gate, expect }) => {
    const [idle, subscriber] = [await connectTo(gate), await connectTo(gate)]
    let closed = 0
    for (const redis of [idle, subscriber]) redis.on('close', () => closed++)
    await subscriber.subscribe(`quiet ${gate.port}`)
    await sleep(12_000)
    expect(closed).toBe(0)
  })

  test('not a patient one that waits in blocking reads', async ({ connectTo, gate, expect }) => {
    const redis = await connectTo(gate, { patient: true })
    const id = await redis.client('ID')
    for (let read = 1; read <= 2; read++) expect(await redis.bzpopmin(`empty ${gate.port}`, 10)).toBeNull()
    expect(await redis.client('ID')).toBe(id)
  })
})

function throwFirst(results: [error: Error | null, result: unknown][] | null): void {
  for (const [error] of results ?? []) if (error) throw error
}
