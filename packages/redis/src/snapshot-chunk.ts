import { hash } from 'node:crypto'
import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import type { ChunkEntry } from '@tocsin/contracts/snapshot'
import { AppError, messageOf } from '@tocsin/runtime/errors'

/**
 * A chunk is the rules whose ids fall to it, one in a line, in the order of their ids:
 *
 *     <rule_id> <digest of the JSON> <the rule as JSON>
 *
 * Whoever holds an older state of the chunk sees by id and digest which lines are new, and parses only those: of the
 * 200 rules of a chunk mostly one.
 */
export interface RuleLine {
  rule_id: string
  digest: string
  json: string
}

/** Ready for Redis. `packed` is undefined for a chunk without rules, which has no key. */
export interface PackedChunk {
  entry: ChunkEntry
  packed: Buffer | undefined
}

/** Of a digest; all are of one length, so that a reader can keep those of a chunk as one text. */
export const digestLength = 11

/** 3 is zstd's own choice: 100,000 rules take 0.15 s. Higher levels took three times as long for 5 % less. */
const params = { [constants.ZSTD_c_compressionLevel]: 3 }

/** No chunk that we write comes near; more than this is no chunk of ours, and would take the reader's memory. */
const textBytesMax = 256 * 1_048_576

/** Most chunks are unpacked in one piece of this size. */
const pieceBytes = 256 * 1024

/** Of JSON without line ends, as `JSON.stringify` and Postgres write it. */
export function lineOf(ruleId: string, json: string): string {
  return `${ruleId} ${digestOf(json)} ${json}`
}

export function* linesOf(text: string): Generator<RuleLine> {
  for (let from = 0; from < text.length; ) {
    const end = text.indexOf('\n', from)
    const afterId = text.indexOf(' ', from)
    const afterDigest = afterId + 1 + digestLength
    if (end === -1 || afterId === -1 || afterDigest >= end || text[afterDigest] !== ' ') {
      throw badSnapshot('a line of a chunk is not a rule')
    }
    yield {
      rule_id: text.slice(from, afterId),
      digest: text.slice(afterId + 1, afterDigest),
      json: text.slice(afterDigest + 1, end),
    }
    from = end + 1
  }
}

/**
 * About 2√rules chunks, a power of two. A change costs the leader, and each reader that missed the news, the manifest, which
 * grows with the number of chunks, and one chunk, which shrinks with it: a reader 0.55 µs for each chunk and 1.9 µs for each
 * rule of the one in a loop, so that both cost about the same there. The count stays until it is off by more than a factor of two, because another one puts every
 * rule into another chunk.
 */
export function chunkCountFor(rules: number, current?: number): number {
  const ideal = Math.log2(Math.max(rules, 1)) / 2 + 1
  if (current !== undefined && Math.abs(Math.log2(current) - ideal) <= 1) return current
  return 2 ** Math.round(ideal)
}

/** FNV-1a; ids begin with the time and end in chance, so that any hash spreads them well. */
export function chunkOf(ruleId: string, chunkCount: number): number {
  let hashed = 0x811c9dc5
  for (let at = 0; at < ruleId.length; at++) hashed = Math.imul(hashed ^ ruleId.charCodeAt(at), 0x01000193)
  return ((hashed ^ (hashed >>> 15)) & (chunkCount - 1)) >>> 0
}

/** The text of a chunk; the lines in the order of their ids. */
export function textOf(lines: readonly string[]): string {
  return lines.length === 0 ? '' : `${lines.join('\n')}\n`
}

/**
 * Not in another thread: the way there and back takes more processor time than the work, 0.34 ms against 0.13 ms for a
 * chunk of 75 KB, and on a busy machine ten times as long.
 */
export async function packChunk(text: string, rules: number): Promise<PackedChunk> {
  if (text === '') return { entry: { hash: '', rules: 0, bytes: 0 }, packed: undefined }
  const bytes = Buffer.from(text)
  const packed = zstdCompressSync(bytes, { params })
  return { entry: { hash: hashOfChunk(bytes), rules, bytes: packed.length }, packed }
}

/** Throws when the bytes are not those of the chunk with this hash. */
export async function unpackChunk(chunkHash: string, packed: Buffer): Promise<string> {
  let bytes: Buffer
  try {
    bytes = zstdDecompressSync(packed, { maxOutputLength: textBytesMax, chunkSize: pieceBytes })
  } catch (error) {
    throw badSnapshot(`chunk ${chunkHash} cannot be unpacked: ${messageOf(error)}`, error)
  }
  if (hashOfChunk(bytes) !== chunkHash) throw badSnapshot(`chunk ${chunkHash} is not what was written`)
  return bytes.toString()
}

/** 128 bits of SHA-256: what is compared is accidents, not attacks, and the manifest has one for each chunk. */
export const hashOfChunk = (text: string | Buffer): string => hash('sha256', text, 'base64url').slice(0, 22)

export const hashOfChunks = (chunks: readonly Pick<ChunkEntry, 'hash'>[]): string =>
  hash('sha256', chunks.map(chunk => chunk.hash).join(), 'hex')

/** Only neighbours in time are told apart by it: the same rule before and after. */
export const digestOf = (json: string): string => hash('sha1', json, 'base64url').slice(0, digestLength)

/** Retryable: the rule-updater compares Redis with Postgres all the time and puts a good one in its place. */
export function badSnapshot(message: string, cause?: unknown): AppError {
  return new AppError('bad_snapshot', message, { retryable: true, cause })
}
