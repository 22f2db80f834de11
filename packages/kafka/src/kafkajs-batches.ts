import { createRequire } from 'node:module'
import { AppError, messageOf } from '@tocsin/runtime/errors'
import type { KafkaMessage } from 'kafkajs'
import { codecs } from './codecs.ts'

const load = createRequire(import.meta.url)
const Decoder = load('kafkajs/src/protocol/decoder')
const decodeRecordBatch = load('kafkajs/src/protocol/recordBatch/v0/decoder')
const messagesModule = 'kafkajs/src/protocol/requests/fetch/v4/decodeMessages'
const decodeOldFormat: (decoder: Reader) => Promise<KafkaMessage[]> = load(messagesModule)

/** The part of kafkajs's decoder that is used here: a response, and how far it has been read. */
interface Reader {
  readonly buffer: Buffer
  readonly offset: number
  readInt32(): number
  readBytes(length: number): Buffer
  canReadBytes(length: number): boolean
}

/** What stands for a batch that cannot be read, at the offset of its last record. */
export type UndecodableMessage = KafkaMessage & { undecodable: AppError }

/** Where the fields of a batch of format 2 begin. */
const at = { length: 8, magic: 16, attributes: 21, lastOffsetDelta: 23, maxTimestamp: 35, producerId: 43, count: 57 }
const headBytes = 61
/** What the length does not count: the first offset and the length. */
const unmeasuredBytes = 12
const codecBits = 0x07
const transactionalBit = 0x10

/** A record is some 500 bytes of objects, however small it is, and an empty one takes seven when it is inflated. */
const recordsMax = 200_000
/** A response that has become so much is enough for now; what is left of it is fetched again. */
const enough = { inflatedBytes: 16 * 1024 * 1024, records: 50_000 }

interface Decoded {
  inflatedBytes: number
  records: number
}

/** By the bytes of the response, the one thing that its partitions have in common. */
const decodedOf = new WeakMap<Buffer, Decoded>()

/**
 * Takes the place of a function of kafkajs 2.2.4 that decodes what a response to a fetch has for one partition. That one
 * inflates without a limit, all nine partitions before the first of them is handed out, and when a single batch cannot be
 * decoded the whole fetch fails, so that its partition stands still for ever and takes the others with it.
 *
 * Kafka shuffles the partitions of a fetch, so none of them is always the one that a large response has no room for.
 */
export function boundBatches(): void {
  load.cache[load.resolve(messagesModule)]!.exports = decodeMessages
}

async function decodeMessages(reader: Reader): Promise<KafkaMessage[]> {
  const bytes = reader.buffer.readInt32BE(reader.offset)
  const magic = bytes > at.magic ? reader.buffer[reader.offset + 4 + at.magic] : undefined
  if (magic !== undefined && magic < 2) return decodeOldFormat(reader)
  reader.readInt32()
  if (bytes <= 0 || !reader.canReadBytes(bytes)) return []
  const batches = reader.readBytes(bytes)
  const decoded = decodedOf.get(reader.buffer) ?? { inflatedBytes: 0, records: 0 }
  decodedOf.set(reader.buffer, decoded)
  const messages: KafkaMessage[] = []
  for (const batch of wholeBatches(batches)) {
    if (decoded.inflatedBytes >= enough.inflatedBytes || decoded.records >= enough.records) break
    for (const message of await decodeBatch(batch, decoded)) messages.push(message)
  }
  return messages
}

/** Brokers cut off the last one where the fetch asks for no more. */
function* wholeBatches(batches: Buffer): Generator<Buffer> {
  for (let start = 0; start + headBytes <= batches.length; ) {
    const end = start + unmeasuredBytes + batches.readInt32BE(start + at.length)
    if (end < start + headBytes || end > batches.length) return
    yield batches.subarray(start, end)
    start = end
  }
}

async function decodeBatch(batch: Buffer, decoded: Decoded): Promise<KafkaMessage[]> {
  try {
    const plain = await inflate(batch)
    decoded.inflatedBytes += plain === batch ? 0 : plain.length
    const { records } = await decodeRecordBatch(new Decoder(plain))
    decoded.records += records.length
    return records
  } catch (error) {
    return [undecodable(batch, error)]
  }
}

/** The batch as it would be had it not been compressed. */
async function inflate(batch: Buffer): Promise<Buffer> {
  const attributes = batch.readInt16BE(at.attributes)
  const number = attributes & codecBits
  if (number === 0) return batch
  const codec = codecs.get(number)
  if (codec === undefined) throw new Error(`there is no codec ${number}`)
  const count = batch.readInt32BE(at.count)
  if (count > recordsMax) throw new Error(`${count} records are more than ${recordsMax}`)
  const plain = Buffer.concat([batch.subarray(0, headBytes), await codec.decompress(batch.subarray(headBytes))])
  plain.writeInt32BE(plain.length - unmeasuredBytes, at.length)
  plain.writeInt16BE(attributes & ~codecBits, at.attributes)
  return plain
}

function undecodable(batch: Buffer, error: unknown): KafkaMessage {
  const first = batch.readBigInt64BE(0)
  const last = first + BigInt(batch.readInt32BE(at.lastOffsetDelta))
  const attributes = batch.readInt16BE(at.attributes)
  const text = `the batch of offsets ${first} to ${last} cannot be decoded: ${messageOf(error)}`
  return {
    magicByte: 2,
    attributes: 0,
    timestamp: String(batch.readBigInt64BE(at.maxTimestamp)),
    offset: String(last),
    key: null,
    value: batch,
    headers: {},
    isControlRecord: false,
    batchContext: {
      producerId: String(batch.readBigInt64BE(at.producerId)),
      inTransaction: (attributes & transactionalBit) !== 0,
    },
    undecodable: new AppError('kafka_batch_undecodable', text, { cause: error }),
  } as KafkaMessage
}
