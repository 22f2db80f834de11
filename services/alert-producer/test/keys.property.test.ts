import type { IngestResult } from '@tocsin/contracts/http'
import { newId } from '@tocsin/contracts/ids'
import { partitionsPerTopic } from '@tocsin/contracts/topics'
import { partitionOf } from '@tocsin/kafka/partition-of'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { startAlertProducer } from './running-alert-producer.ts'

/** Everything that an id may be. */
const ids = fc
  .string({ unit: 'grapheme', minLength: 1, maxLength: 60 })
  .filter(text => text.length <= 255 && !text.includes('\0'))

/** Alerts about one of three problems, or about none but themselves; each is sent in one of the run's requests. */
const alerts = fc.array(fc.record({ problem: fc.option(fc.nat(2)), request: fc.nat(2), id: ids }), {
  minLength: 2,
  maxLength: 20,
})

const plain = { severity: 'HIGH', source: 'api', name: 'timeout' }
const ndjson = { 'content-type': 'application/x-ndjson' }

test('P4: alerts of one problem are on one partition, whatever it is called and however they are sent', {
  timeout: 240_000,
}, async () => {
  await using running = await startAlertProducer()
  await running.service.running.started
  const path = '/api/v1/alerts'
  const send = async (n: number, ofRequest: object[]): Promise<IngestResult[]> => {
    const lines = ofRequest.map(alert => JSON.stringify(alert)).join('\n')
    const { body } = await (n === 0 ? running.call('POST', path, lines, ndjson) : running.call('POST', path, ofRequest))
    return body.results
  }
  const property = fc.asyncProperty(fc.tuple(ids, ids, ids), alerts, async (problems, planned) => {
    const all = planned.map(({ id, problem, request }) => {
      const named = problem === null ? {} : { dedup_key: problems[problem]! }
      return { request, alert: { ...plain, alert_id: `${id}${newId('alert')}`, ...named } }
    })
    const requests = Map.groupBy(all, ({ request }) => request)
    await Promise.all(
      Array.from(requests, async ([n, ofRequest]) => {
        const results = await send(
          n,
          ofRequest.map(one => one.alert),
        )
        for (const [at, { alert }] of ofRequest.entries()) {
          const key = 'dedup_key' in alert ? alert.dedup_key! : alert.alert_id
          const partition = partitionOf(Buffer.from(key), partitionsPerTopic)
          expect(results[at]).toMatchObject({ status: 'accepted', alert_id: alert.alert_id, partition })
        }
      }),
    )
  })
  await Promise.all(Array.from({ length: 4 }, () => fc.assert(property, { numRuns: 30 })))
})
