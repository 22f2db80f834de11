import { foldCase } from '../fold-case.ts'
import { hashStart, rollBase, spread, stepHash } from './hash.ts'

/** The hash of the text's first `length` characters, or of its last ones read backwards. */
export function hashEdge(text: string, length: number, isEnd: boolean): number {
  let hash = hashStart
  let code = 0
  for (let at = 0; at < length; at++) {
    code = text.charCodeAt(isEnd ? text.length - 1 - at : at)
    hash = stepHash(hash, code)
  }
  return markEdge(hash, code)
}

/** Makes the first five bits those of the character read last, by which most other texts are told. */
export const markEdge = (hash: number, code: number): number => (hash >>> 5) | (code << 27)
export const edgeMark = (hash: number): number => hash >>> 27

const firstNotAscii = 0x80
/** Sets upper and lower case apart. */
const caseBit = 0x20
const sampleBits = 16

/**
 * The hash of a text in whatever case, with the sample in its last bits. Characters that are no letters lose the bit as
 * well: what counts is that those of one fold have one hash.
 */
export function hashFolded(text: string): number {
  let hash = hashStart
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code >= firstNotAscii) return hashNotAscii(foldCase(text))
    hash = stepHash(hash, code | caseBit)
  }
  return withSample(hash, text)
}

function hashNotAscii(folded: string): number {
  let hash = hashStart
  for (let at = 0; at < folded.length; at++) {
    const code = folded.charCodeAt(at)
    hash = stepHash(hash, code < firstNotAscii ? code | caseBit : code)
  }
  return withSample(hash, folded)
}

const withSample = (hash: number, folded: string): number =>
  (spread(hash) << sampleBits) | Math.max(0, sampleFolded(folded))

/**
 * A few bits of a text in whatever case, made of four characters: most texts that are none of those wanted are told by
 * them. -1 if one is not ASCII, as only the whole text can be folded then.
 */
export function sampleFolded(text: string): number {
  const { length } = text
  if (length < 2) return -1
  const last = text.charCodeAt(length - 1)
  const secondLast = text.charCodeAt(length - 2)
  const middle = text.charCodeAt(length >>> 1)
  const quarter = text.charCodeAt(length >>> 2)
  if ((last | secondLast | middle | quarter) >= firstNotAscii) return -1
  const bits = last | (secondLast << 8) | (middle << 16) | (quarter << 24) | (caseBit * 0x01010101)
  return Math.imul(bits, 0x9e3779b1) >>> sampleBits
}

/** Pieces of texts are told by their longest grams: 16 characters of an address or a sentence are hardly ever shared. */
export const gramSizes = [16, 8, 4, 2, 1] as const

/** Of windows of one size: a hash that can roll, which is what takes the oldest character out again. */
export const rollGram = (hash: number, code: number): number => (Math.imul(hash, rollBase) + code) | 0
export const leaveGram = (hash: number, oldest: number, weight: number): number =>
  (hash - Math.imul(oldest, weight)) | 0

/** What the oldest character of a window has been multiplied by. */
export const oldestWeight = (size: number): number => {
  let weight = 1
  for (let at = 1; at < size; at++) weight = Math.imul(weight, rollBase)
  return weight
}

export function hashGram(text: string, start: number, size: number): number {
  let hash = 0
  for (let at = start; at < start + size; at++) hash = rollGram(hash, text.charCodeAt(at))
  return hash
}
