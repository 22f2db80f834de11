import { promisify } from 'node:util'
import zlib from 'node:zlib'
import kafkajs from 'kafkajs'
import { compressFrame, decompressFrame } from 'lz4-napi'
import { compress, uncompress } from 'snappy'

// kafkajs is CommonJS whose names Node cannot see from outside: only the default import works under plain node.
const { CompressionCodecs, CompressionTypes } = kafkajs

/** kafkajs brings gzip and throws on the rest, so that one record from another client would stop a partition for ever. */
interface Codec {
  compress(encoder: { buffer: Buffer }): Promise<Buffer>
  decompress(compressed: Buffer): Promise<Buffer>
}

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
  async decompress(compressed) {
    if (!compressed.subarray(0, xerialMagic.length).equals(xerialMagic)) return unsnap(compressed)
    const blocks: Promise<Buffer>[] = []
    for (let start = xerialHead.length; start < compressed.length; ) {
      const length = compressed.readInt32BE(start)
      blocks.push(unsnap(compressed.subarray(start + 4, start + 4 + length)))
      start += 4 + length
    }
    return Buffer.concat(await Promise.all(blocks))
  },
}

async function unsnap(block: Buffer): Promise<Buffer> {
  return (await uncompress(block, { asBuffer: true })) as Buffer
}

/** Record batches of format 2 hold standard LZ4 frames; the broken header checksum was a matter of formats 0 and 1. */
export const lz4Codec: Codec = {
  compress: ({ buffer }) => compressFrame(buffer),
  decompress: compressed => decompressFrame(compressed),
}

const zstdCompress = promisify(zlib.zstdCompress)
const zstdDecompress = promisify(zlib.zstdDecompress)

export const zstdCodec: Codec = {
  compress: ({ buffer }) => zstdCompress(buffer),
  decompress: compressed => zstdDecompress(compressed),
}

/** kafkajs keeps its codecs in one table for the whole process; setting them twice does no harm. */
export function registerCodecs(): void {
  CompressionCodecs[CompressionTypes.Snappy] = () => snappyCodec
  CompressionCodecs[CompressionTypes.LZ4] = () => lz4Codec
  CompressionCodecs[CompressionTypes.ZSTD] = () => zstdCodec
}
