import { setTimeout as sleep } from 'node:timers/promises'
import { topics } from '@tocsin/contracts/topics'
import type { OutgoingMessage, Producer } from '@tocsin/kafka/producer'
import { openProducer } from '../bench-kafka.ts'
import { alertTexts } from '../matcher/alerts.ts'
import { fleetFor } from '../matcher/fleet.ts'

/** Alerts straight into Kafka, at a steady rate, on all partitions. */
export interface Traffic extends AsyncDisposable {
  /** What every fourth alert carries as `context.probe`, with its lane; undefined: none. */
  probe: string | undefined
  /** Each lane is a partition of `alerts.new`. */
  readonly lanes: number
  readonly sent: number
}

const distinctAlerts = 10_000
/** Of so many alerts one is from a service that the rules are about; the others pass all indexes and match nothing. */
const oneKnownOf = 50
const oneProbeOf = 4
const tickMs = 5
/** Where that is not enough Kafka takes no more: what is late stays late instead of growing into one huge batch. */
const mostAtOnce = 1_000

export async function startTraffic(brokers: string, alertsPerS: number, rules: number): Promise<Traffic> {
  const { kafka, producer } = openProducer(brokers)
  const topic = kafka.topic(topics.alertsNew)
  const keys = await findLanes(producer, topic)
  const texts = alertTexts(fleetFor(rules), 'small', distinctAlerts).map((text, index) =>
    index % oneKnownOf === 0 ? text : estranged(text),
  )
  const stopping = new AbortController()
  const traffic = { probe: undefined as string | undefined, lanes: keys.length, sent: 0 }
  const alert = (): OutgoingMessage => {
    const lane = traffic.sent % keys.length
    const text = texts[traffic.sent % texts.length]!
    const isProbe = traffic.probe !== undefined && Math.floor(traffic.sent / keys.length) % oneProbeOf === 0
    const marks = isProbe ? `,"probe":"${traffic.probe}","lane":${lane}` : ''
    const id = `{"alert_id":"bench-${process.pid}-${startedAt}-${traffic.sent++}"`
    return { topic, key: keys[lane]!, value: `${id}${text.slice(text.indexOf(','), -2)}${marks}}}` }
  }
  const startedAt = Date.now()
  const running = (async () => {
    const begun = performance.now()
    while (!stopping.signal.aborted) {
      const due = Math.floor(((performance.now() - begun) / 1_000) * alertsPerS)
      const messages: OutgoingMessage[] = []
      while (traffic.sent < due && messages.length < mostAtOnce) messages.push(alert())
      await producer.send(messages)
      await sleep(tickMs)
    }
  })()
  running.catch(() => {}) // told at the end
  return Object.assign(traffic, {
    async [Symbol.asyncDispose]() {
      stopping.abort()
      await running
      await producer.close()
    },
  })
}

/** A key for each partition, found by asking where keys go. */
async function findLanes(producer: Producer, topic: string): Promise<string[]> {
  const byPartition = new Map<number, string>()
  const candidates = Array.from({ length: 200 }, (_, index) => `lane-${index}`)
  const value = (key: string) =>
    JSON.stringify({ alert_id: key, severity: 'LOW', source: key, name: 'lane', context: {} })
  const places = await producer.send(candidates.map(key => ({ topic, key, value: value(key) })))
  for (const [index, { partition }] of places.entries()) byPartition.set(partition, candidates[index]!)
  return [...byPartition].sort(([a], [b]) => a - b).map(([, key]) => key)
}

/** From a fleet that no rule is about. */
const estranged = (text: string) =>
  text
    .replaceAll(/-c(\d)/g, '-q$1')
    .replace('"10.', '"172.')
    .replace('"team-', '"squad-')
