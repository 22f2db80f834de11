import fc from 'fast-check'
import { expect, it } from 'vitest'
import {
  crc32C,
  crc32COfKafkajs,
  encodeRecord,
  groupByPartition,
  groupOfKafkajs,
  recordOfKafkajs,
} from './kafkajs-encoding.ts'

const text = fc.string({ unit: 'binary', maxLength: 300 })
const data = fc.oneof(text, fc.uint8Array({ maxLength: 300 }).map(Buffer.from))
const delta = fc.oneof(fc.constant(0), fc.integer(), fc.maxSafeInteger())
const records = fc.record(
  {
    offsetDelta: fc.nat(),
    timestampDelta: delta,
    key: fc.option(data),
    value: fc.option(fc.oneof(data, fc.string({ minLength: 8_000, maxLength: 20_000 }))),
    headers: fc.dictionary(fc.string(), fc.oneof(data, fc.array(data, { maxLength: 3 })), { maxKeys: 4 }),
  },
  { requiredKeys: [] },
)

it('whatever a record has, its bytes are those that kafkajs makes of it', () => {
  fc.assert(
    fc.property(records, record => {
      expect(encodeRecord(record).buffer.equals(recordOfKafkajs(record).buffer)).toBe(true)
    }),
    { numRuns: 1_000 },
  )
})

it('the checksum of any bytes is that of kafkajs, and of the standard', () => {
  expect(crc32C(Buffer.from('123456789'))).toBe(0xe3069283)
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), bytes => {
      expect(crc32C(bytes)).toBe(crc32COfKafkajs(bytes))
    }),
    { numRuns: 1_000 },
  )
})

it('messages are put into partitions as kafkajs does it', () => {
  fc.assert(
    fc.property(fc.array(fc.nat({ max: 8 })), fc.nat({ max: 1 }), (messages, partitions) => {
      const partitionMetadata = Array.from({ length: partitions })
      const grouping = {
        topic: 'alerts',
        partitionMetadata,
        messages,
        partitioner: (of: { message: number }) => of.message,
      }
      expect(groupByPartition(grouping)).toEqual(groupOfKafkajs(grouping))
    }),
  )
})
