/** What a clause asks of the value that it finds. May throw where json-rules-engine would; the clause is then false. */
export type Predicate = (found: unknown) => boolean

/** An operator without its decorators. */
export interface Operator {
  /** The question with its right side known: all that can be computed from it is computed once. */
  compile(named: unknown): Predicate
  /** The question with both sides known only when it is asked. The decorator `swap` leads here. */
  holds(found: unknown, named: unknown): boolean
}

/** An operator for which there is nothing to prepare. */
export const plain = (holds: Operator['holds']): Operator => ({
  holds,
  compile: named => found => holds(found, named),
})

/** An operator that prepares its right side: both sides known late means preparing it late. */
export const prepared = (compile: Operator['compile']): Operator => ({
  compile,
  holds: (found, named) => compile(named)(found),
})

export const never: Predicate = () => false
