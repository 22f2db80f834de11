const frameMagic = 0x184d2204

/**
 * How large the content of LZ4 frames is, by their sequences and without decoding them: the library that decodes knows
 * no limit, the size in a frame's head is optional and nobody vouches for it, and blocks need not be full.
 */
export function lz4FrameBytes(frames: Buffer): number {
  let bytes = 0
  for (let at = 0; at < frames.length; ) {
    if (frames.readUInt32LE(at) !== frameMagic) throw new Error('no LZ4 frame')
    const flags = frames.readUInt8(at + 4)
    at += 7 + (flags & 0x08 ? 8 : 0) + (flags & 0x01 ? 4 : 0) // magic, flags, block size, checksum; content size, dictionary
    const checksumBytes = flags & 0x10 ? 4 : 0
    for (;;) {
      const head = frames.readUInt32LE(at)
      at += 4
      if (head === 0) break
      const end = at + (head & 0x7fff_ffff)
      bytes += head >>> 31 ? end - at : blockBytes(frames.subarray(at, end))
      at = end + checksumBytes
    }
    if (flags & 0x04) at += 4
  }
  return bytes
}

/** Sequences: a token, literals, the offset of what is repeated; the last one has literals only. */
function blockBytes(block: Buffer): number {
  let bytes = 0
  let at = 0
  /** Four bits of the token, and when they are full, further bytes up to the first below 255. */
  const length = (nibble: number): number => {
    let sum = nibble
    for (let byte = nibble === 15 ? 255 : 0; byte === 255; sum += byte) byte = block[at++] ?? 0
    return sum
  }
  while (at < block.length) {
    const token = block[at++]!
    const literals = length(token >> 4)
    bytes += literals
    at += literals
    if (at >= block.length) break
    at += 2
    bytes += length(token & 15) + 4
  }
  return bytes
}
