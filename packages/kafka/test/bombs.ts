import type { Transform } from 'node:stream'
import { createGzip, createZstdCompress, constants as zlib } from 'node:zlib'
import kafkajs from 'kafkajs'
import type { KafkaClient } from '../src/client.ts'
import { compressions, registerCodecs, snappyCodec } from '../src/codecs.ts'
import { createKafkajs } from '../src/kafkajs-client.ts'

const { CompressionCodecs } = kafkajs
const mebibyte = 1024 * 1024

/**
 * One record of zeros each, as it stands in a batch, of so many MiB that its batch is still no more than 2.5 MB. Brokers
 * look through what they are sent without holding it, and take these.
 */
export const bombs = {
  gzip: () => streamed(createGzip({ level: 9 }), 512),
  snappy: () => snappyCodec.compress({ buffer: Buffer.concat([head(48), Buffer.alloc(48 * mebibyte)]) }),
  lz4: async () => lz4(512),
  zstd: () => streamed(createZstdCompress({ params: { [zlib.ZSTD_c_compressionLevel]: 3 } }), 1_900),
} as const

/** All bytes of the record but its value, which is zeros, and the number of its headers, which is a zero too. */
function head(mebibytes: number): Buffer {
  const valueBytes = mebibytes * mebibyte - 1
  const value = varint(valueBytes)
  const rest = Buffer.from([0, 0, 0, 1, ...value]) // attributes, time, offset, no key
  return Buffer.from([...varint(rest.length + valueBytes + 1), ...rest])
}

function varint(value: number): number[] {
  const bytes: number[] = []
  let left = value * 2
  for (; left >= 128; left = Math.floor(left / 128)) bytes.push((left % 128) | 128)
  return [...bytes, left]
}

async function streamed(compressor: Transform, mebibytes: number): Promise<Buffer> {
  const zeros = Buffer.alloc(mebibyte)
  const written = (async () => {
    compressor.write(head(mebibytes))
    for (let n = 0; n < mebibytes; n++) {
      if (!compressor.write(zeros)) await new Promise(resolve => compressor.once('drain', resolve))
    }
    compressor.end()
  })()
  const parts = await Array.fromAsync(compressor)
  await written
  return Buffer.concat(parts)
}

/** Written by hand, because the library would need the whole content at once: blocks of 4 MiB, each a repeated zero. */
function lz4(mebibytes: number): Buffer {
  const start = head(mebibytes)
  const repeated = 4 * mebibyte - 1 - 5
  const lengths = Math.floor((repeated - 19) / 255)
  const block = Buffer.concat([
    Buffer.from([0x1f, 0, 1, 0]),
    Buffer.alloc(lengths, 255),
    Buffer.from([(repeated - 19) % 255, 0x50, 0, 0, 0, 0, 0]),
  ])
  const plain = Buffer.alloc(4)
  plain.writeUInt32LE(start.length + 0x8000_0000)
  const blockHead = Buffer.alloc(4)
  blockHead.writeUInt32LE(block.length)
  const blocks = Array.from({ length: mebibytes / 4 }, () => [blockHead, block]).flat()
  const frame = Buffer.from([0x04, 0x22, 0x4d, 0x18, 0x60, 0x70, 0x73])
  return Buffer.concat([frame, plain, start, ...blocks, Buffer.alloc(4)])
}

/** Sends a batch of one record with these bytes instead of what its codec would make of it. */
export async function sendCompressed(
  client: KafkaClient,
  { topic, codec, bytes }: { topic: string; codec: keyof typeof bombs; bytes: Buffer },
): Promise<void> {
  const type = compressions[codec]
  const { kafkajs, destroy } = createKafkajs(client)
  const producer = kafkajs.producer({ idempotent: false })
  await producer.connect()
  CompressionCodecs[type as keyof typeof CompressionCodecs] = () => ({ compress: async () => bytes })
  try {
    await producer.send({ topic, compression: type, messages: [{ key: null, value: 'replaced', partition: 0 }] })
  } finally {
    registerCodecs()
    await producer.disconnect()
    destroy()
  }
}
