import { keptExpressions, type MadeExpression } from '../kept-expressions.ts'
import { limits } from '../language.ts'
import type { Predicate } from '../operator.ts'
import { hasPieces, type LiteralPieces, literalPieces } from './literal-pieces.ts'
import { SimpleExpression } from './simple-expression.ts'

/**
 * What the operator `matches` says, sooner: an expression is first held against the literal pieces that it has, and RE2
 * is only asked about those that are not simple.
 */
export function expressionTest(pattern: unknown, matches: Predicate): Predicate {
  if (typeof pattern !== 'string' || pattern.length > limits.patternLength) return matches
  const sooner = keptExpressions.keep(() => new WithoutRE2(pattern))
  return found => typeof found === 'string' && (sooner(found) ?? matches(found))
}

class WithoutRE2 implements MadeExpression<boolean | undefined> {
  readonly bytes: number
  readonly #literal: LiteralPieces | undefined
  readonly #simple: SimpleExpression | undefined

  constructor(pattern: string) {
    this.#literal = literalPieces(pattern)
    this.#simple = SimpleExpression.read(pattern)
    const pieces = this.#literal?.ways.reduce((sum, { length }) => sum + length, 0) ?? 0
    this.bytes = 500 + 50 * pieces + (this.#simple?.bytes ?? 0)
  }

  /** Undefined if RE2 must be asked. */
  matches(text: string): boolean | undefined {
    if (this.#literal !== undefined && !hasPieces(text, this.#literal)) return false
    return this.#simple?.matches(text)
  }
}
