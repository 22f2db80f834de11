import type { OutgoingMessage, Producer } from '@tocsin/kafka/producer'
import { AppError } from '@tocsin/runtime/errors'
import { describe, expect, it } from 'vitest'
import { createIngest } from './ingest.ts'
import type { Item } from './read-submission.ts'

const plain = { severity: 'HIGH', source: 'api', name: 'timeout' }

/** A broker that goes away after so many messages, which a real one does not do at a chosen moment. */
function brokerThatTakes(count: number, failure: AppError): Producer & { taken: OutgoingMessage[] } {
  const taken: OutgoingMessage[] = []
  return {
    taken,
    async send(messages) {
      if (taken.length + messages.length > count) throw failure
      const first = taken.length
      taken.push(...messages)
      return messages.map(({ topic }, index) => ({ topic, partition: 3, offset: first + index }))
    },
    close: async () => {},
  }
}

const away = new AppError('kafka_unavailable', 'away', { retryable: true })

describe('createIngest', () => {
  it('never mixes up who was acknowledged, however accepted, rejected and unavailable lie between each other', async () => {
    const broker = brokerThatTakes(200, away)
    const items = Array.from(
      { length: 400 },
      (_, n): Item => ({
        value: n % 4 === 0 ? { alert_id: `wrong-${n}` } : { ...plain, alert_id: `alert-${n}` },
      }),
    )
    const results = await createIngest(broker, 'alerts.new')({ items, single: false }, undefined)
    const acknowledged = broker.taken.map(message => JSON.parse(String(message.value)).alert_id)
    expect(acknowledged).toHaveLength(200)
    expect(results).toHaveLength(400)
    for (const [n, result] of results.entries()) {
      if (n % 4 === 0) expect(result).toMatchObject({ status: 'rejected', alert_id: `wrong-${n}` })
      else {
        const offset = acknowledged.indexOf(`alert-${n}`)
        const expected =
          offset < 0 ? { status: 'unavailable' } : { status: 'accepted', partition: 3, offset: `${offset}` }
        expect(result).toMatchObject({ alert_id: `alert-${n}`, ...expected })
      }
    }
  })

  it('hands messages over in the order of the request', async () => {
    const broker = brokerThatTakes(1_000, away)
    const items = Array.from(
      { length: 1_000 },
      (_, n): Item => ({ value: { ...plain, alert_id: `${n}`, dedup_key: 'one' } }),
    )
    await createIngest(broker, 'alerts.new')({ items, single: false }, undefined)
    expect(broker.taken.map(message => Number(JSON.parse(String(message.value)).alert_id))).toEqual([
      ...Array(1_000).keys(),
    ])
    expect(new Set(broker.taken.map(message => message.key))).toEqual(new Set(['one']))
  })

  it('does not call it "try again" when Kafka refuses an alert for good', async () => {
    const broker = brokerThatTakes(0, new AppError('kafka_record_too_large', 'too large'))
    const sent = createIngest(broker, 'alerts.new')({ items: [{ value: plain }], single: true }, undefined)
    await expect(sent).rejects.toMatchObject({ code: 'produce_failed', retryable: false })
  })
})
