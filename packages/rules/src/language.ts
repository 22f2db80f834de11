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
/** Clauses of a rule are about a fact of the alert, those inside `element` about a field of the element. */
export type Place = 'fact' | 'field'
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
  /**
   * Clauses of one rule, those of `element` included. One that walks a list counts as many times as the list has members,
   * those of the lists in it included: each may be asked of each of 100,000 members of an alert's list.
   */
  clauses: 200,
  /** Levels of objects and arrays in the whole of `conditions`, values included. */
  jsonDepth: 100,
  pathSteps: 20,
  /** Decorators before one operator. */
  decorators: 5,
  /** Members of a list that is looked up by hash: `in`, `notIn`, `cidr`. */
  listLength: 5_000,
  /** Members of a list that is walked for every alert: `someValue`, `everyValue`. */
  walkedListLength: 200,
  /** Stars in one `wildcard`. */
  wildcardStars: 20,
  /**
   * Characters between two stars of a `wildcard`, and of what `swap:in` looks for in a text: up to here, looking for them
   * takes time in proportion to the text.
   */
  wildcardPiece: 200,
  /** Characters of one regular expression. */
  patternLength: 1_000,
  /**
   * Instructions that all regular expressions of one rule compile to. Each may be looked at once per character, which
   * takes up to 20 ns: with as many as this, 2 s for the largest alert. What is slow to read counts more.
   */
  patternInstructions: 200,
} as const

/** Every code of a problem: the rule is refused. docs/rules.md is checked against this table. */
export const problemCodes = [
  'required',
  'not_an_object',
  'not_an_array',
  'not_a_string',
  'not_a_boolean',
  'no_group',
  'ambiguous',
  'not_supported',
  'unknown_operator',
  'bad_path',
  'bad_bounds',
  'bad_network',
  'bad_pattern',
  'too_costly',
  'too_long',
  'too_many_clauses',
  'too_deep',
  'too_large',
] as const
export type ProblemCode = (typeof problemCodes)[number]

/** Every code of a warning: the rule is taken, and probably says something else than its author means. */
export const warningCodes = [
  'unknown_field',
  'unknown_fact',
  'path_on_scalar',
  'empty_group',
  'never_holds',
  'always_holds',
  'odd_comparison',
  'odd_escape',
] as const
export type WarningCode = (typeof warningCodes)[number]
