import { createRequire } from 'node:module'
import net from 'node:net'
import tls from 'node:tls'
import type { Logger } from '@tocsin/runtime/logger'
import type { ISocketFactory, Kafka, KafkaConfig, LogEntry, SASLOptions } from 'kafkajs'
import type { KafkaClient } from './client.ts'
import { registerCodecs } from './codecs.ts'
import kafkajs from './kafkajs.ts'
import { boundBatches } from './kafkajs-batches.ts'
import { encodeFaster } from './kafkajs-encoding.ts'

const { logLevel } = kafkajs

/**
 * kafkajs 2.2.4 arms a timer after every response, also with nothing to wait for and with a negative delay, so each
 * connection wakes up every millisecond for ever (2.5 % of a core per idle client, measured on Node 24) and Node
 * prints a TimeoutNegativeWarning. The timer is only needed while requests wait to be sent.
 */
function stopIdleTimers(): void {
  const RequestQueue = createRequire(import.meta.url)('kafkajs/src/network/requestQueue')
  const { scheduleCheckPendingRequests: schedule } = RequestQueue.prototype
  RequestQueue.prototype.scheduleCheckPendingRequests = function (this: { pending: unknown[] }) {
    if (this.pending.length > 0) schedule.call(this)
  }
}

stopIdleTimers()
encodeFaster()
registerCodecs()
boundBatches()

export interface KafkajsClient {
  kafkajs: Kafka
  /** Breaks every connection and refuses new ones, whatever kafkajs still waits for. */
  destroy(): void
}

/**
 * How long one request may take. Above the 500 ms that fetches wait for data, below the 60 s in which the work of a
 * dead process must have been taken over.
 */
export const requestTimeoutMs = 15_000

/** A kafkajs client of its own for each source, producer or probe, so that one can be torn down without the others. */
export function createKafkajs(client: KafkaClient): KafkajsClient {
  const { address, clientId, log } = client
  const sockets = socketsOf()
  const config: KafkaConfig = {
    clientId,
    brokers: address.brokers,
    ...(address.tls && { ssl: { ...(address.tls.ca && { ca: address.tls.ca }) } }),
    ...(address.sasl && { sasl: saslOptions(address.sasl) }),
    connectionTimeout: 5_000,
    requestTimeout: requestTimeoutMs,
    // Few and fast: going on for ever is done by our own loops, which rebuild the client as well.
    retry: { retries: 2, initialRetryTime: 100, maxRetryTime: 1_000 },
    socketFactory: sockets.factory,
    logLevel: log.isLevelEnabled('trace')
      ? logLevel.DEBUG
      : log.isLevelEnabled('debug')
        ? logLevel.INFO
        : logLevel.WARN,
    logCreator: () => entry => writeLog(log, entry),
  }
  return { kafkajs: new kafkajs.Kafka(config), destroy: sockets.destroy }
}

function saslOptions({ mechanism, username, password }: NonNullable<KafkaClient['address']['sasl']>): SASLOptions {
  return { mechanism, username, password: password.reveal() }
}

function socketsOf(): { factory: ISocketFactory; destroy(): void } {
  const open = new Set<net.Socket>()
  let destroyed = false
  const factory: ISocketFactory = ({ host, port, ssl, onConnect }) => {
    if (destroyed) throw new Error('the client is closed')
    const socket = ssl
      ? tls.connect({ host, port, ...(net.isIP(host) === 0 && { servername: host }), ...ssl }, onConnect)
      : net.connect({ host, port }, onConnect)
    // A small request must not wait for the acknowledgement of the one before it (Nagle): up to 40 ms each.
    socket.setNoDelay(true)
    socket.setKeepAlive(true, 60_000)
    // kafkajs calls unref on a socket that never connected once per attempt; each call adds a listener, and Node warns.
    socket.setMaxListeners(0)
    open.add(socket)
    socket.once('close', () => open.delete(socket))
    return socket
  }
  return {
    factory,
    destroy() {
      destroyed = true
      for (const socket of open) socket.destroy(new Error('the client is closed'))
    },
  }
}

/**
 * What these say at WARN and ERROR is either told by our own loops, once and in context, or is an everyday matter such
 * as a rebalance. The rest (offsets out of range, assignors that do not fit) is for the operator.
 */
const chatty = new Set([
  'Connection',
  'BrokerPool',
  'Runner',
  'Consumer',
  'Producer',
  'RequestQueue',
  'SASLOAuthBearer',
])

function writeLog(log: Logger, { namespace, level, log: entry }: LogEntry): void {
  const { message, timestamp: _, logger: __, stack: ___, ...facts } = entry
  const line = { kafkajs: namespace, ...facts }
  if (level >= logLevel.DEBUG) log.trace(line, message)
  else if (level >= logLevel.INFO || chatty.has(namespace)) log.debug(line, message)
  else log.warn(line, message)
}
