import { setTimeout as sleep } from 'node:timers/promises'
import type { IngestResult } from '@tocsin/contracts/http'
import { topics } from '@tocsin/contracts/topics'
import { endsWithin } from '@tocsin/runtime/backoff'
import { publishRaw } from '@tocsin/testkit/raw-kafka'
import type { Cluster } from './cluster.ts'
import type { Entry } from './ledger.ts'

const alertsPerBatch = 20
/** Longer than the product's own deadline of 10 s, so that it is the one to answer; a frozen process answers nothing. */
const answerMs = 15_000
const repeatAfterMs = 200

/** Gives back those of the entries that were acknowledged. */
type Send = (entries: readonly Entry[]) => Promise<readonly Entry[]>

/**
 * Producers of different kinds, side by side, each with its own part of the ledger in order: over HTTP and straight to
 * Kafka, and one that does not repeat what was not acknowledged. `pauseMs` after each batch of a producer makes the flow last.
 */
export async function sendAlerts(
  cluster: Cluster,
  ledger: readonly Entry[],
  { pauseMs, onProgress }: { pauseMs: number; onProgress: (share: number) => void },
): Promise<void> {
  const [http, kafka] = [overHttp(cluster), overKafka(cluster)]
  const producers = [
    { send: http, repeats: true },
    { send: http, repeats: true },
    { send: http, repeats: false },
    { send: kafka, repeats: true },
    { send: kafka, repeats: true },
  ]
  let sent = 0
  await Promise.all(
    shares(ledger, producers.length).map(async (entries, index) => {
      const { send, repeats } = producers[index]!
      for (let from = 0; from < entries.length; from += alertsPerBatch) {
        const batch = entries.slice(from, from + alertsPerBatch)
        await sendBatch(batch, send, repeats)
        sent += batch.length
        onProgress(sent / ledger.length)
        await sleep(pauseMs)
      }
    }),
  )
}

/** All of one problem has one producer, as a resolve must be sent after what it resolves. */
function shares(ledger: readonly Entry[], count: number): Entry[][] {
  const parts = Array.from({ length: count }, (): Entry[] => [])
  const ofProblem = new Map<Entry, number>()
  for (const [index, entry] of ledger.entries()) {
    const part = (entry.firing && ofProblem.get(entry.firing)) ?? index % count
    ofProblem.set(entry, part)
    parts[part]!.push(entry)
  }
  return parts
}

/** One that repeats goes on until all of it is acknowledged, and only then takes up the next: so order is kept. */
async function sendBatch(batch: readonly Entry[], send: Send, repeats: boolean): Promise<void> {
  for (const entry of batch) entry.sentAt = performance.now()
  for (let left = batch; left.length > 0; ) {
    const acknowledged = new Set(await send(left).catch(() => []))
    for (const entry of acknowledged) entry.acknowledgedAt = performance.now()
    left = left.filter(entry => !acknowledged.has(entry))
    if (!repeats) return
    if (left.length > 0) await sleep(repeatAfterMs)
  }
}

function overHttp({ services, adminKey }: Cluster): Send {
  return async entries => {
    const response = await fetch(`${services['alert-producer'].url}/api/v1/alerts`, {
      method: 'POST',
      headers: { authorization: `Bearer ${adminKey}`, 'content-type': 'application/json' },
      body: JSON.stringify(entries.map(({ alert }) => alert)),
      signal: AbortSignal.timeout(answerMs),
    })
    const { results = [] } = (await response.json()) as { results?: IngestResult[] }
    const rejected = results.find(({ status }) => status === 'rejected')
    if (rejected) throw new Error(`an alert was refused: ${JSON.stringify(rejected)}`)
    return entries.filter((_, index) => results[index]?.status === 'accepted')
  }
}

/** As another client library does it, keyed so that what is about one problem stays in order. */
function overKafka({ kafkaBrokers }: Cluster): Send {
  return async entries => {
    const records = entries.map(({ alert }) => ({
      key: alert.dedup_key ?? alert.alert_id,
      value: JSON.stringify(alert),
    }))
    const published = publishRaw(kafkaBrokers, topics.alertsNew, records)
    published.catch(() => {}) // perhaps after nobody waits for it any more
    return (await endsWithin(published, answerMs)) ? entries : []
  }
}
