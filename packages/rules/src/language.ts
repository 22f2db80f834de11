/** A rule's condition as teams write it: json-rules-engine's own form. */
export type Condition = AllOf | AnyOf | NotOf | Clause
export interface AllOf {
  all: Condition[]
}
export interface AnyOf {
  any: Condition[]
}
export interface NotOf {
  not: Condition
}
export interface Clause {
  fact: string
  operator: string
  value: unknown
  path?: string
}
export type Conditions = AllOf | AnyOf | NotOf

/** What bounds the cost of one rule, so that no team's rule can hold up everybody's alerts. */
export const limits = {
  depth: 10,
  clauses: 200,
  pathSteps: 20,
  /** Characters of `conditions` as JSON. */
  size: 64 * 1024,
} as const
