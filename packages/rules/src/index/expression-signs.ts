import type { Field } from './field.ts'
import { literalPieces } from './literal-pieces.ts'
import { anySign, type Signs } from './sign.ts'
import { piecesSigns } from './text-signs.ts'

/** Signs of a regular expression that must match the whole text: those of the ways that its alternatives leave. */
export function expressionSigns(field: Field, ofMember: boolean, pattern: string): Signs | undefined {
  const literal = literalPieces(pattern)
  if (literal === undefined) return undefined
  const signs = literal.ways.map(pieces => piecesSigns(field, ofMember, pieces, literal.ignoresCase))
  return signs.includes(undefined) ? undefined : anySign(signs as Signs[])
}
