import { expect, it } from 'vitest'
import { sourceContract } from '../test/source-contract.ts'
import { createMemorySource } from './memory-source.ts'

sourceContract('in memory', async () => {
  const source = createMemorySource()
  const topic = 'alerts.new'
  return {
    publish: async (partition, ...messages) => source.publish({ topic, partition }, ...messages),
    open: () => source,
    committed: async partition => source.committed({ topic, partition }),
  }
})

it('drops the commit of a batch whose session has expired, and reads it again', async () => {
  const source = createMemorySource()
  const place = { topic: 'alerts.new', partition: 0 }
  source.publish(place, { value: 'a' })
  const stop = new AbortController()
  let batches = 0
  await source.run(
    {
      async batch(batch) {
        if (++batches === 1) {
          source.expire()
          expect(batch.handover.aborted).toBe(true)
          await batch.commit(1)
          expect(source.committed(place)).toBe(0)
        } else {
          await batch.commit(1)
          stop.abort()
        }
      },
    },
    stop.signal,
  )
  expect(batches).toBe(2)
})
