import { foldCase } from '../fold-case.ts'
import { extendHash, hashStart } from './hash.ts'

/** The hash of the text's first `length` characters, or of its last ones read backwards. */
export function hashEdge(text: string, length: number, isEnd: boolean): number {
  let hash = hashStart
  for (let at = 0; at < length; at++) hash = extendHash(hash, text.charCodeAt(isEnd ? text.length - 1 - at : at))
  return hash
}

const notAscii = 0x80

/** Folds plain ASCII on the way, which spares the copy that `foldCase` makes. */
export function hashFolded(text: string): number {
  let hash = hashStart
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code >= notAscii) return hashEdge(foldCase(text), text.length, false)
    hash = extendHash(hash, code >= 65 && code <= 90 ? code | 32 : code)
  }
  return hash
}

/** Pieces of texts are told by their longest grams: 16 characters of an address or a sentence are hardly ever shared. */
export const gramSizes = [16, 8, 4, 2, 1] as const

const base = 0x01000193

/** Of windows of one size: a hash that can roll, which is what takes the oldest character out again. */
export const rollGram = (hash: number, code: number): number => (Math.imul(hash, base) + code) | 0
export const leaveGram = (hash: number, oldest: number, weight: number): number =>
  (hash - Math.imul(oldest, weight)) | 0

/** What the oldest character of a window has been multiplied by. */
export const oldestWeight = (size: number): number => {
  let weight = 1
  for (let at = 1; at < size; at++) weight = Math.imul(weight, base)
  return weight
}

export function hashGram(text: string, start: number, size: number): number {
  let hash = 0
  for (let at = start; at < start + size; at++) hash = rollGram(hash, text.charCodeAt(at))
  return hash
}
