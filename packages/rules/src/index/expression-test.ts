import { limits } from '../language.ts'
import type { Predicate } from '../operator.ts'
import { hasPieces, literalPieces } from './literal-pieces.ts'
import { SimpleExpression } from './simple-expression.ts'

/**
 * What the operator `matches` says, sooner: an expression is first held against the literal pieces that it has, and RE2
 * is only asked about those that are not simple.
 */
export function expressionTest(pattern: unknown, matches: Predicate): Predicate {
  if (typeof pattern !== 'string' || pattern.length > limits.patternLength) return matches
  const ways = literalPieces(pattern)
  const simple = SimpleExpression.read(pattern)
  return found => {
    if (typeof found !== 'string') return false
    if (ways !== undefined && !ways.some(pieces => hasPieces(found, pieces))) return false
    return simple?.matches(found) ?? matches(found)
  }
}
