/** A rule's conditions as the generator writes them: the part of the language that these corpora use. */
export interface Clause {
  fact: string
  path?: string
  operator: string
  value: unknown
}

export type Condition = Clause | { all: Condition[] } | { any: Condition[] } | { not: Condition }

export interface BenchRule {
  readonly id: string
  readonly conditions: Exclude<Condition, Clause>
}

/** A clause on a field that is named as people name it: `severity`, `context.host`. */
export function where(field: string, operator: string, value: unknown): Clause {
  const [fact = '', ...steps] = field.split('.')
  return { fact, ...(steps.length > 0 ? { path: `$.${steps.join('.')}` } : {}), operator, value }
}

export function fieldOf({ fact, path }: Clause): string[] {
  return path === undefined ? [fact] : [fact, ...path.split('.').slice(1)]
}

/** As long as the ids of real rules, since a matcher keeps them in memory. */
export function ruleId(index: number): string {
  return `rul_0198c0ffee00${index.toString(16).padStart(20, '0')}`
}

export function ruleIndex(id: string): number {
  return Number.parseInt(id.slice(-8), 16)
}
