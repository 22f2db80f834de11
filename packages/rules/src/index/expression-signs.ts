import type { Field } from './field.ts'
import { anySign, type Signs } from './sign.ts'
import { piecesSigns } from './text-signs.ts'

/** Signs of a regular expression that must match the whole text: those of its alternatives. */
export function expressionSigns(field: Field, ofMember: boolean, pattern: string): Signs | undefined {
  const alternatives = literalPieces(pattern)
  if (alternatives === undefined) return undefined
  const signs = alternatives.map(pieces => piecesSigns(field, ofMember, pieces))
  return signs.includes(undefined) ? undefined : anySign(signs as Signs[])
}

/** What matches a character or more in ways that are not looked into. */
const unread = /^(?:\.|\\[dDsSwW]|\\p\{\^?\w+\}|\\P\{\w+\}|\\[pP][A-Z])/
/** A character that stands for itself, or one behind a backslash that does. */
const itself = /^(?:[^\\.[\](){}^$|*+?]|\\[^a-zA-Z0-9])/u
/** Matches no character. Without it the pattern would match no less. */
const position = /^(?:[\^$]|\\[bBAz])/
const quantifier = /^(?:[*+?]|\{\d+(?:,\d*)?\})\??/
/** A bracket that has no brackets in it. */
const set = /^\[\^?\]?(?:[^\\[\]]|\\[^pPQxE0-9])*\]/

/**
 * For each alternative at the top, the texts that stand in whatever matches, in their order, as the pieces of a
 * wildcard. Undefined when the pattern has anything that this does not read, above all flags: then it has no signs.
 */
export function literalPieces(pattern: string): string[][] | undefined {
  const alternatives: string[][] = []
  let pieces: string[] = []
  let piece = ''
  const endPiece = () => {
    pieces.push(piece)
    piece = ''
  }
  for (let rest = pattern; ; ) {
    if (rest === '' || rest.startsWith('|')) {
      endPiece()
      alternatives.push(pieces)
      pieces = []
      if (rest === '') return alternatives
      rest = rest.slice(1)
      continue
    }
    const literal = position.test(rest) ? '' : itself.exec(rest)?.[0]
    const length = position.exec(rest)?.[0].length ?? literal?.length ?? lengthOfUnread(rest)
    if (length === undefined) return undefined
    rest = rest.slice(length)
    const repeated = quantifier.exec(rest)?.[0] ?? ''
    rest = rest.slice(repeated.length)
    // RE2 takes no two quantifiers, and whatever else were to come is not read above.
    if (literal !== undefined && repeated === '') piece += literal.startsWith('\\') ? literal.slice(1) : literal
    else endPiece()
  }
}

function lengthOfUnread(rest: string): number | undefined {
  return (unread.exec(rest) ?? set.exec(rest))?.[0].length ?? lengthOfGroup(rest)
}

/** A group without flags is passed over with all that is in it. */
function lengthOfGroup(rest: string): number | undefined {
  if (!rest.startsWith('(') || (rest.startsWith('(?') && !/^\(\?(?::|P?<)/.test(rest))) return undefined
  let depth = 0
  for (let at = 0; at < rest.length; ) {
    const inner = rest.slice(at)
    const skipped =
      itself.exec(inner) ?? unread.exec(inner) ?? set.exec(inner) ?? /^(?:[()*+?^$|]|\{[\d,]*\})/.exec(inner)
    if (skipped === null) return undefined
    if (inner.startsWith('(')) {
      if (inner.startsWith('(?') && !/^\(\?(?::|P?<)/.test(inner)) return undefined
      depth++
    }
    if (inner.startsWith(')') && --depth === 0) return at + 1
    at += skipped[0].length
  }
  return undefined
}
