import { Clause } from './clause.ts'
import { extendHash, hashStart, spread } from './hash.ts'
import type { Interned } from './intern-table.ts'

export type Part = Clause | Group

/** `all` or `any` of its parts, with every `not` moved into the clauses. An `any` of nothing never holds. */
export class Group {
  readonly isAny: boolean
  readonly parts: readonly Part[]
  readonly hash: number

  constructor(isAny: boolean, parts: readonly Part[]) {
    this.isAny = isAny
    this.parts = parts
    this.hash = extendHash(hashParts(parts), isAny ? 1 : 2)
  }

  holds(): boolean {
    const { isAny, parts } = this
    for (let at = 0; at < parts.length; at++) if ((parts[at] as Part).holds() === isAny) return isAny
    return !isAny
  }
}

/** What one rule asks, or several that ask the same. All parts must hold. */
export class Pattern implements Interned<Pattern> {
  readonly parts: readonly Part[]
  readonly hash: number
  next: Pattern | undefined = undefined
  /** The number of the alert that it was last considered for. */
  considered = 0
  /** The ids of its rules. Nearly always it is one. */
  rules: string | Set<string> | undefined = undefined

  constructor(parts: readonly Part[], hash: number) {
    this.parts = parts
    this.hash = hash
  }

  holds(): boolean {
    const { parts } = this
    for (let at = 0; at < parts.length; at++) if (!(parts[at] as Part).holds()) return false
    return true
  }

  addRule(id: string): void {
    if (this.rules === undefined) this.rules = id
    else if (typeof this.rules === 'string') this.rules = new Set([this.rules, id])
    else this.rules.add(id)
  }

  removeRule(id: string): void {
    if (typeof this.rules === 'string') this.rules = undefined
    else if (this.rules?.delete(id) && this.rules.size === 1) for (const last of this.rules) this.rules = last
  }
}

export function hashParts(parts: readonly Part[]): number {
  let hash = hashStart
  for (const part of parts) hash = extendHash(hash, part.hash)
  return spread(hash)
}

export const areSameParts = (one: readonly Part[], other: readonly Part[]): boolean =>
  one.length === other.length && one.every((part, at) => isSamePart(part, other[at] as Part))

/** Clauses are shared, so the same clause is the same object. */
function isSamePart(one: Part, other: Part): boolean {
  if (one instanceof Clause || other instanceof Clause) return one === other
  return one.isAny === other.isAny && areSameParts(one.parts, other.parts)
}
