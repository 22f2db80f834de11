import { parseWildcard } from '../wildcard.ts'
import type { Field } from './field.ts'
import { allSigns, noSign, Sign, type Signs, shows } from './sign.ts'
import { gramSizes, hashEdge, hashFolded, hashGram } from './text-hashes.ts'

/** Windows of one piece that a rule may be found by: enough to pick a rare one from. */
const windowsPerPiece = 48

export function equalsIgnoreCaseSign(field: Field, ofMember: boolean, text: string): Signs {
  return new Sign(field, ofMember, shows.folded, hashFolded(text), text.length)
}

/** What texts are looked up by: by themselves, or folded by those that ignore case. */
const asTheyAre = { prefix: shows.prefix, suffix: shows.suffix, gram: shows.gram }
const folded = { prefix: shows.foldedPrefix, suffix: shows.foldedSuffix, gram: shows.foldedGram }

/** Undefined for the empty text, with which every text starts. */
export function prefixSign(
  field: Field,
  ofMember: boolean,
  text: string,
  shown: number = shows.prefix,
): Signs | undefined {
  return text === '' ? undefined : new Sign(field, ofMember, shown, hashEdge(text, text.length, false), text.length)
}

export function suffixSign(
  field: Field,
  ofMember: boolean,
  text: string,
  shown: number = shows.suffix,
): Signs | undefined {
  return text === '' ? undefined : new Sign(field, ofMember, shown, hashEdge(text, text.length, true), text.length)
}

/**
 * Of a piece that stands somewhere in the text: windows of the largest size that fits. Those with the most digits, since
 * names that teams number differ in those: of rules for 2,000 numbered services, a text then meets 3 instead of 11.
 */
function pieceSigns(field: Field, ofMember: boolean, piece: string, shown: number): Signs[] {
  const size = gramSizes.find(one => one <= piece.length)
  if (size === undefined) return []
  const count = Math.min(piece.length - size + 1, windowsPerPiece)
  const digits = Array.from({ length: count }, (_, at) => digitsIn(piece, at, at + size))
  const most = Math.max(...digits)
  const signs: Signs[] = []
  for (let at = 0; at < count; at++) {
    if (digits[at] === most) signs.push(new Sign(field, ofMember, shown, hashGram(piece, at, size), size))
  }
  return signs
}

function digitsIn(text: string, start: number, end: number): number {
  let digits = 0
  for (let at = start; at < end; at++) {
    const code = text.charCodeAt(at)
    if (code >= 48 && code <= 57) digits++
  }
  return digits
}

/** Of a text that starts with the first piece, ends with the last, and has the others between them. */
export function piecesSigns(
  field: Field,
  ofMember: boolean,
  pieces: readonly string[],
  areFolded: boolean,
): Signs | undefined {
  const kinds = areFolded ? folded : asTheyAre
  const edges = [
    prefixSign(field, ofMember, pieces[0] ?? '', kinds.prefix),
    suffixSign(field, ofMember, pieces.at(-1) ?? '', kinds.suffix),
  ]
  const signs = edges.filter(sign => sign !== undefined)
  for (const piece of pieces.slice(1, -1)) signs.push(...pieceSigns(field, ofMember, piece, kinds.gram))
  return signs.length > 0 ? allSigns(signs) : undefined
}

export function wildcardSigns(field: Field, ofMember: boolean, pattern: string): Signs | undefined {
  const parsed = parseWildcard(pattern)
  if ('problem' in parsed) return noSign
  const { pieces } = parsed
  if (pieces.length === 1) return new Sign(field, ofMember, shows.equal, pieces[0])
  return piecesSigns(field, ofMember, pieces, false)
}
