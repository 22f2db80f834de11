import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { gzipCodec, lz4Codec, snappyCodec, zstdCodec } from './codecs.ts'
import { lz4FrameBytes } from './lz4-frame-bytes.ts'

interface ForeignBatch {
  encoder: string
  codec: 'snappy' | 'lz4' | 'zstd'
  bytes: number
  sha256: string
  compressed: string
}

const codecs = { gzip: gzipCodec, snappy: snappyCodec, lz4: lz4Codec, zstd: zstdCodec }
/** Record batches of 133 kB as other clients compressed them, taken from a broker: several blocks in each framing. */
const foreign: ForeignBatch[] = JSON.parse(
  readFileSync(join(import.meta.dirname, '../test/foreign-batches.json'), 'utf8'),
)

describe('codecs', () => {
  it.each(foreign)('reads $codec as written by $encoder', async ({ codec, bytes, sha256, compressed }) => {
    const plain = await codecs[codec].decompress(Buffer.from(compressed, 'base64'))
    expect(plain.length).toBe(bytes)
    expect(createHash('sha256').update(plain).digest('hex')).toBe(sha256)
  })

  it('was tried on both framings of snappy and on LZ4 frames of several blocks', () => {
    const heads = foreign.map(({ codec, compressed }) => [codec, Buffer.from(compressed, 'base64')] as const)
    const xerial = heads.filter(([codec, bytes]) => codec === 'snappy' && bytes.includes('SNAPPY'))
    expect(xerial).toHaveLength(1)
    const blockSizes = heads.filter(([codec]) => codec === 'lz4').map(([, bytes]) => (bytes[5]! >> 4) & 7)
    expect(blockSizes).toEqual([4, 4]) // 4 is 64 KiB, half of the batch
  })

  it.each(Object.keys(codecs) as (keyof typeof codecs)[])('reads what it wrote with %s, of any size', async name => {
    const sized = fc.oneof(
      fc.uint8Array({ maxLength: 100 }),
      fc.nat(200_000).map(length => new Uint8Array(length).fill(7)),
    )
    await fc.assert(
      fc.asyncProperty(sized, async bytes => {
        const compressed = await codecs[name].compress({ buffer: Buffer.from(bytes) })
        expect((await codecs[name].decompress(compressed)).equals(bytes)).toBe(true)
      }),
    )
  })

  it.each(Object.keys(codecs) as (keyof typeof codecs)[])(
    'inflates %s up to a limit and not a byte beyond',
    async name => {
      const { compress, decompress } = codecs[name]
      const ofBytes = (bytes: number) => compress({ buffer: Buffer.alloc(bytes, 'more or less the same') })
      const max = 3_000_000
      expect(await decompress(await ofBytes(max), max)).toHaveLength(max)
      await expect(decompress(await ofBytes(max + 1), max)).rejects.toThrow('inflates to more than 3000000 bytes')
    },
  )

  it('believes no snappy block that says it is larger than it is, and reads none that ends before it begins', async () => {
    const lie = Buffer.from([0xff, 0xff, 0xff, 0xff, 0x0f, 0x00])
    await expect(snappyCodec.decompress(lie)).rejects.toThrow('inflates to more than')
    const framed = await snappyCodec.compress({ buffer: Buffer.from('one block') })
    framed.writeInt32BE(-4, 16)
    await expect(snappyCodec.decompress(framed)).rejects.toThrow('ends where it cannot')
  })

  it('counts the bytes of LZ4 frames from any encoder, of any size, whatever they hold', async () => {
    for (const { codec, compressed, bytes } of foreign) {
      if (codec === 'lz4') expect(lz4FrameBytes(Buffer.from(compressed, 'base64'))).toBe(bytes)
    }
    const pieces = fc.array(
      fc.oneof(
        fc.uint8Array({ maxLength: 50 }),
        fc.nat(90_000).map(n => new Uint8Array(n)),
      ),
    )
    await fc.assert(
      fc.asyncProperty(pieces, async pieces => {
        const plain = Buffer.concat(pieces)
        expect(lz4FrameBytes(await lz4Codec.compress({ buffer: plain }))).toBe(plain.length)
      }),
    )
  })
})
