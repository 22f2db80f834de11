import { Clause } from './clause.ts'
import { extendHash, hashStart, spread } from './hash.ts'
import type { Interned } from './intern-table.ts'
import type { Search } from './search.ts'

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
  /** The number of the alert that it was last considered for. */
  considered = 0
  // Nearly all rules have three parts or fewer: an array would take as many bytes again, and be one more thing to fetch.
  readonly first: Part | undefined
  readonly second: Part | undefined
  readonly third: Part | undefined
  /** The ids of its rules. Nearly always it is one. */
  rules: string | Set<string> | undefined = undefined
  readonly hash: number
  next: Pattern | undefined = undefined

  constructor(parts: readonly Part[], hash: number) {
    this.first = parts[0]
    this.second = parts[1]
    this.third = parts.length > 3 ? new Group(false, parts.slice(2)) : parts[2]
    this.hash = hash
  }

  get parts(): readonly Part[] {
    const { first, second, third } = this
    if (third instanceof Group && !third.isAny) return [first as Part, second as Part, ...third.parts]
    return [first, second, third].filter(part => part !== undefined)
  }

  holds(): boolean {
    const { first, second, third } = this
    if (first !== undefined && !first.holds()) return false
    if (second !== undefined && !second.holds()) return false
    return third === undefined || third.holds()
  }

  /** As what a sign leads to, one pattern is like a list of one. */
  get size(): number {
    return 1
  }

  visit(search: Search): void {
    search.consider(this)
  }

  collect(into: Set<Pattern>): void {
    into.add(this)
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
