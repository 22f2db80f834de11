/** What a clause asks of the value that it finds. */
export type Predicate = (found: unknown) => boolean

/**
 * The same before it has come to a verdict: undefined where json-rules-engine would throw, which makes the clause false,
 * its `not:` included. Throwing and catching takes 5 µs, and an alert may bring a hundred thousand such values.
 */
export type Question = (found: unknown) => boolean | undefined

/** An operator without its decorators. */
export interface Operator {
  /** The question with its right side known: all that can be computed from it is computed once. */
  compile(named: unknown): Question
  /** The question with its left side known. The decorator `swap` leads here. */
  compileLeft(found: unknown): Question
  /** The question with both sides known only when it is asked. */
  holds(found: unknown, named: unknown): boolean | undefined
}

/** An operator for which there is nothing to prepare. */
export const plain = (holds: Operator['holds']): Operator => ({
  holds,
  compile: named => found => holds(found, named),
  compileLeft: found => named => holds(found, named),
})

/** An operator that prepares its right side: both sides known late means preparing it late. */
export const prepared = (compile: Operator['compile']): Operator => ({
  compile,
  compileLeft: found => named => compile(named)(found),
  holds: (found, named) => compile(named)(found),
})

export const never: Predicate = () => false
