/** A rule's condition as teams write it: json-rules-engine's own form. */
export type Condition = AllOf | AnyOf | NotOf | Clause
export interface AllOf {
  all: Condition[]
  name?: string
}
export interface AnyOf {
  any: Condition[]
  name?: string
}
export interface NotOf {
  not: Condition
  name?: string
}
export interface Clause {
  fact: string
  /** One of `operatorNames`, after any number of decorators: `not:someFact:startsWith`. */
  operator: string
  value: unknown
  path?: string
  name?: string
}
/** What a rule has at its top: a group, never a bare clause. */
export type Conditions = AllOf | AnyOf | NotOf

/** The value of the operator `element`: conditions that one and the same element of an array must meet. */
export type ElementConditions =
  | { all: ElementCondition[]; name?: string }
  | { any: ElementCondition[]; name?: string }
  | { not: ElementCondition; name?: string }
export type ElementCondition = ElementConditions | ElementClause
/** Like a clause, but of a field of the element instead of a fact of the alert. */
export interface ElementClause {
  field: string
  operator: string
  value: unknown
  path?: string
  name?: string
}

/** What bounds the cost of one rule, so that no team's rule can hold up everybody's alerts. */
export const limits = {
  /** Characters of `conditions` as JSON. */
  size: 64 * 1024,
  /** Groups inside groups, those of `element` included. */
  depth: 10,
  /** Clauses of one rule, those of `element` included. */
  clauses: 200,
  pathSteps: 20,
  /** Decorators before one operator. */
  decorators: 5,
  /** Members of a list that is looked up by hash: `in`, `notIn`, `cidr`. */
  listLength: 5_000,
  /** Members of a list that is walked for every alert: `someValue`, `everyValue`. */
  walkedListLength: 200,
  /** Stars in one `wildcard`. */
  wildcardStars: 20,
  /** Characters between two stars of a `wildcard`: up to here, looking for them takes time in proportion to the text. */
  wildcardPiece: 200,
  /** Characters of one regular expression. */
  patternLength: 1_000,
  /** Instructions that all regular expressions of one rule compile to: each may be looked at once per character. */
  patternInstructions: 500,
} as const
