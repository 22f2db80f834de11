import fc from 'fast-check'
import kafkajs, { type PartitionMetadata } from 'kafkajs'
import { expect, it } from 'vitest'
import { partitionOf } from './partition-of.ts'

it('gives every key the partition that the default partitioner of other clients gives it', () => {
  const choose = kafkajs.Partitioners.DefaultPartitioner()
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), fc.integer({ min: 1, max: 50 }), (bytes, count) => {
      const key = Buffer.from(bytes)
      const partitionMetadata = Array.from({ length: count }, () => ({ leader: 1 })) as PartitionMetadata[]
      return partitionOf(key, count) === choose({ topic: 't', partitionMetadata, message: { key, value: null } })
    }),
    { numRuns: 2_000 },
  )
})

it('agrees with the Java client on keys that it was asked about', () => {
  // org.apache.kafka.common.utils.Utils.toPositive(murmur2(key)) % 9
  const asked = {
    '': 0,
    a: 4,
    ab: 5,
    abc: 3,
    abcd: 2,
    payments: 2,
    Überlauf: 2,
    'a9c3b1de-5d3f-4b0e-8f0e-2d8b7c1e4f55': 7,
  }
  expect(Object.fromEntries(Object.keys(asked).map(key => [key, partitionOf(Buffer.from(key), 9)]))).toEqual(asked)
})
