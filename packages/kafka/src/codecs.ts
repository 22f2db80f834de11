import { promisify } from 'node:util'
import zlib from 'node:zlib'
import { compressFrame, decompressFrame } from 'lz4-napi'
import { compress, uncompress } from 'snappy'
import kafkajs from './kafkajs.ts'
import { lz4FrameBytes } from './lz4-frame-bytes.ts'

// kafkajs is CommonJS whose names Node cannot see from outside: only the default import works under plain node.
const { CompressionCodecs, CompressionTypes } = kafkajs

/** kafkajs brings gzip, without a limit, and throws on the rest. */
export interface Codec {
  compress(encoder: { buffer: Buffer }): Promise<Buffer>
  /** Rejects when `bytesMax` would be exceeded, before it has used much more memory than that. */
  decompress(compressed: Buffer, bytesMax?: number): Promise<Buffer>
}

/**
 * A batch of Kafka's usual 1 MiB whose records compress 32 to 1, which alerts that differ in a few members do; ours hold
 * 900 KiB before they are compressed. zstd makes 2 GB of 10 kB if asked to, and gzip 1 GB of a whole batch.
 */
export const inflatedBytesMax = 32 * 1024 * 1024

export const compressions = {
  none: CompressionTypes.None,
  gzip: CompressionTypes.GZIP,
  snappy: CompressionTypes.Snappy,
  lz4: CompressionTypes.LZ4,
  zstd: CompressionTypes.ZSTD,
} as const

export type Compression = keyof typeof compressions

/**
 * Java clients wrap snappy blocks in the framing of the xerial library (16 bytes of head, then blocks with their
 * length before them); librdkafka and others write one raw block. We read both and write the framed one, which all read.
 */
const xerialMagic = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00])
const xerialHead = Buffer.concat([xerialMagic, Buffer.from([0, 0, 0, 1, 0, 0, 0, 1])])
const xerialBlockBytes = 32 * 1024

export const snappyCodec: Codec = {
  async compress({ buffer }) {
    const parts: Buffer[] = [xerialHead]
    for (let start = 0; start < buffer.length; start += xerialBlockBytes) {
      const block = await compress(buffer.subarray(start, start + xerialBlockBytes))
      const length = Buffer.alloc(4)
      length.writeInt32BE(block.length)
      parts.push(length, block)
    }
    return Buffer.concat(parts)
  },
  async decompress(compressed, bytesMax = inflatedBytesMax) {
    const blocks = snappyBlocks(compressed)
    requireAtMost(
      bytesMax,
      blocks.reduce((sum, block) => sum + snappyBytes(block), 0),
    )
    return Buffer.concat(await Promise.all(blocks.map(unsnap)))
  },
}

function snappyBlocks(compressed: Buffer): Buffer[] {
  if (!compressed.subarray(0, xerialMagic.length).equals(xerialMagic)) return [compressed]
  const blocks: Buffer[] = []
  for (let start = xerialHead.length; start < compressed.length; ) {
    const end = start + 4 + compressed.readInt32BE(start)
    if (end <= start + 4 || end > compressed.length) throw new Error('a snappy block ends where it cannot')
    blocks.push(compressed.subarray(start + 4, end))
    start = end
  }
  return blocks
}

/** What a block says of itself in front, as a varint; one that does not keep to it is refused when it is decoded. */
function snappyBytes(block: Buffer): number {
  let bytes = 0
  for (let index = 0; index < 5; index++) {
    const byte = block[index] ?? 0
    bytes += (byte & 0x7f) * 2 ** (7 * index)
    if (byte < 0x80) break
  }
  return bytes
}

async function unsnap(block: Buffer): Promise<Buffer> {
  return (await uncompress(block, { asBuffer: true })) as Buffer
}

function requireAtMost(bytesMax: number, bytes: number): void {
  if (bytes > bytesMax) throw tooLarge(bytesMax)
}

function tooLarge(bytesMax: number, cause?: unknown): Error {
  return new Error(`inflates to more than ${bytesMax} bytes`, { cause })
}

/** LZ4 spends a byte on every 255 that it repeats, so a batch of ordinary size need not be looked through. */
const lz4RatioMax = 255

/** Record batches of format 2 hold standard LZ4 frames; the broken header checksum was a matter of formats 0 and 1. */
export const lz4Codec: Codec = {
  compress: ({ buffer }) => compressFrame(buffer),
  async decompress(compressed, bytesMax = inflatedBytesMax) {
    if (compressed.length * lz4RatioMax > bytesMax) requireAtMost(bytesMax, lz4FrameBytes(compressed))
    return decompressFrame(compressed)
  },
}

type Inflate = (compressed: Buffer, options: { maxOutputLength: number }) => Promise<Buffer>

async function inflateAtMost(bytesMax: number, inflate: Inflate, compressed: Buffer): Promise<Buffer> {
  try {
    return await inflate(compressed, { maxOutputLength: bytesMax })
  } catch (error) {
    throw (error as { code?: string }).code === 'ERR_BUFFER_TOO_LARGE' ? tooLarge(bytesMax, error) : error
  }
}

const gzip = promisify<Buffer, Buffer>(zlib.gzip)
const unzip: Inflate = promisify(zlib.unzip)

export const gzipCodec: Codec = {
  compress: ({ buffer }) => gzip(buffer),
  decompress: (compressed, bytesMax = inflatedBytesMax) => inflateAtMost(bytesMax, unzip, compressed),
}

const zstdCompress = promisify<Buffer, Buffer>(zlib.zstdCompress)
const zstdDecompress: Inflate = promisify(zlib.zstdDecompress)

export const zstdCodec: Codec = {
  compress: ({ buffer }) => zstdCompress(buffer),
  decompress: (compressed, bytesMax = inflatedBytesMax) => inflateAtMost(bytesMax, zstdDecompress, compressed),
}

/** By the number that batches name them with. */
export const codecs: ReadonlyMap<number, Codec> = new Map([
  [CompressionTypes.GZIP, gzipCodec],
  [CompressionTypes.Snappy, snappyCodec],
  [CompressionTypes.LZ4, lz4Codec],
  [CompressionTypes.ZSTD, zstdCodec],
])

/** kafkajs keeps its codecs in one table for the whole process; setting them twice does no harm. */
export function registerCodecs(): void {
  for (const [number, codec] of codecs) CompressionCodecs[number as keyof typeof CompressionCodecs] = () => codec
}
