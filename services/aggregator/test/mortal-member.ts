import { AsyncLocalStorage } from 'node:async_hooks'
import { subscribe } from 'node:diagnostics_channel'
import type { Socket } from 'node:net'
import type { KafkaClient } from '@tocsin/kafka/client'
import { consume } from '@tocsin/kafka/consume'
import type { Reject } from '@tocsin/kafka/failure'
import { createKafkaSource } from '@tocsin/kafka/kafkajs-source'
import { createProducer, type Producer } from '@tocsin/kafka/producer'
import type { Source } from '@tocsin/kafka/source'
import type { Database } from '@tocsin/postgres/database'
import { createAggregate } from '../src/aggregate.ts'

/** What a member calls outside itself. */
export type Call = 'postgres' | 'publish' | 'commit'

/** A member dies before or after its nth call of a kind from now on. */
export interface Crash {
  when: 'before' | 'after'
  call: Call
  nth: number
}

export interface MortalMember {
  dieAt(crash: Crash | undefined): void
  /** With the call at which it died; undefined when it was stopped. */
  ended: Promise<string | undefined>
  /** Says good-bye to its group, as at SIGTERM. */
  stop(): Promise<void>
  /** Nothing of it happens any more, and nobody is told: its group waits for its session to end. */
  kill(): void
  /** No connection to Kafka works any more, and what it does elsewhere it still does. */
  cutOff(): void
}

export interface Places {
  kafka: KafkaClient
  database: Database
  groupId: string
  /** Full names. */
  from: string
  to: string
}

/**
 * The aggregator's own stage and consume loop as a member of a group, with a life of its own inside the test's process:
 * when it dies no call of it gets through any more, and no answer gets back.
 */
export function startMember(places: Places): MortalMember {
  const network: Network = { sockets: new Set(), isCut: false }
  return networks.run(network, () => run(places, network))
}

function run({ kafka, database, groupId, from, to }: Places, network: Network): MortalMember {
  const stop = new AbortController()
  const life = lifeOf(() => stop.abort())
  const realProducer = createProducer(kafka, { deadlineMs: 3_000 })
  const producer: Producer = {
    send: messages => life.call('publish', () => realProducer.send(messages)),
    close: () => realProducer.close(),
  }
  const source = createKafkaSource(kafka, { groupId, topics: [from], sessionTimeoutMs: 6_000 })
  const stage = createAggregate(mortalDatabase(database, life), producer, to)
  const reject: Reject = async ([first]) => {
    throw first?.failure.error // no match of these tests is one for the dead letters
  }
  const ended = consume(mortalSource(source, life), stage, { log: kafka.log, stopping: stop.signal, reject })
    .catch(error => {
      if (life.diedAt === undefined) throw error
    })
    .finally(() => realProducer.close())
    .then(() => life.diedAt)
  return {
    dieAt: crash => life.dieAt(crash),
    ended,
    stop: async () => {
      stop.abort()
      await ended
    },
    kill: () => {
      cut(network)
      life.end('killed')
    },
    cutOff: () => cut(network),
  }
}

interface Life {
  diedAt: string | undefined
  dieAt(crash: Crash | undefined): void
  end(at: string): void
  call<T>(name: Call, work: () => Promise<T>): Promise<T>
}

function lifeOf(onDeath: () => void): Life {
  let crash: Crash | undefined
  const life: Life = {
    diedAt: undefined,
    dieAt: next => {
      crash = next && { ...next }
    },
    end: at => {
      life.diedAt ??= at
      onDeath()
    },
    async call(name, work) {
      const isLast = crash?.call === name && --crash.nth === 0
      const reach = async (when: Crash['when']) => {
        if (isLast && crash?.when === when) life.end(`${when} ${name}`)
        if (life.diedAt === undefined) return
        // By then the batch in hand has been taken away, so that nothing takes this for a failure of the batch.
        await new Promise(setImmediate)
        throw new Error('dead')
      }
      await reach('before')
      const result = await work()
      await reach('after')
      return result
    },
  }
  return life
}

/** Outside the member's network: the pool's connections are everybody's, whoever asked first. */
function mortalDatabase(database: Database, life: Life): Database {
  return new Proxy(database, {
    get(target, name) {
      const member = Reflect.get(target, name, target)
      if (typeof member !== 'function') return member
      return (...args: unknown[]) => life.call('postgres', () => networks.exit(() => member.apply(target, args)))
    },
  })
}

function mortalSource(source: Source, life: Life): Source {
  return {
    check: () => source.check(),
    run: ({ batch: handle, ...handler }, stopping) => {
      const batch: typeof handle = one =>
        handle({ ...one, commit: nextOffset => life.call('commit', () => one.commit(nextOffset)) })
      return source.run({ ...handler, batch }, stopping)
    },
  }
}

/** The connections that one member has to Kafka. */
interface Network {
  sockets: Set<Socket>
  isCut: boolean
}

/** Says whose a connection is: kafkajs opens it somewhere below what the member called. */
const networks = new AsyncLocalStorage<Network>()

subscribe('net.client.socket', message => {
  const network = networks.getStore()
  const { socket } = message as { socket: Socket }
  if (network === undefined) return
  network.sockets.add(socket)
  socket.once('close', () => network.sockets.delete(socket))
  // Before it can connect: kafkajs sends heartbeats at once, and one that arrives keeps the member in its group.
  if (network.isCut) process.nextTick(() => socket.destroy(new Error('cut off')))
})

function cut(network: Network): void {
  network.isCut = true
  for (const socket of network.sockets) socket.destroy(new Error('cut off'))
}
