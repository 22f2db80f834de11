import { asking } from './asking.ts'
import { Clauses, type ClauseText } from './clauses.ts'
import { Scope } from './field.ts'
import { extendHash, hashStart, spread } from './hash.ts'
import { isGroup, type NormalPart } from './normal-form.ts'
import { RecentSigns } from './recent-signs.ts'
import { RowTable } from './row-table.ts'
import { Rows } from './rows.ts'
import { Slots } from './slots.ts'

/** A clause as `Clauses` names it to patterns, or a group by its number below 0. */
export type Part = number

/** `all` or `any` of its parts, with every `not` moved into the clauses. An `any` of nothing never holds. */
export interface Group {
  readonly isAny: boolean
  readonly parts: readonly Part[]
  readonly hash: number
}

// The columns of a pattern: first the number of the alert that it was last considered for.
const firstPartAt = 1
/** Nearly all rules have so many parts or fewer. What more there is stands in a group, in the last place. */
const mostParts = 5
const hashAt = firstPartAt + mostParts
const nextAt = hashAt + 1
const width = nextAt + 1

/**
 * All that rules ask of an alert, or of the members of one field's list: each pattern once, made of clauses kept once. A
 * pattern is what one rule asks, or several that ask the same, and is known by its number. All its parts must hold.
 */
export class Patterns {
  readonly scope: Scope = new Scope(this)
  readonly clauses = new Clauses(this.scope)
  readonly recentSigns = new RecentSigns()
  readonly #groups = new Slots<Group>()
  readonly #rows = new Rows(width)
  readonly #shared = new RowTable(this.#rows, hashAt, nextAt)

  get size(): number {
    return this.#shared.size
  }

  /** A new alert, or a new member of a list. */
  begin(root: object): void {
    if (!this.scope.begin(root)) return
    this.clauses.forget()
    this.#rows.clear(0)
  }

  /** True once for each alert. */
  isNew(pattern: number): boolean {
    const { words } = this.#rows
    const { epoch } = this.scope
    if (words[pattern * width] === epoch) return false
    words[pattern * width] = epoch
    return true
  }

  holds(pattern: number): boolean {
    const { words } = this.#rows
    const first = pattern * width + firstPartAt
    for (let at = first; at < first + mostParts; at++) {
      const part = words[at] as Part
      if (part === 0) return true
      if (!(part > 0 ? this.clauses.partHolds(part) : this.#groupHolds(part))) return false
    }
    return true
  }

  #groupHolds(group: Part): boolean {
    const { isAny, parts } = this.group(group)
    for (let at = 0; at < parts.length; at++) {
      const part = parts[at] as Part
      const holds = part > 0 ? this.clauses.partHolds(part) : this.#groupHolds(part)
      if (holds === isAny) return isAny
    }
    return !isAny
  }

  group(part: Part): Group {
    return this.#groups.items[-part] as Group
  }

  partsOf(pattern: number): readonly Part[] {
    const parts: readonly Part[] = this.#rows.read(pattern, firstPartAt, mostParts)
    const last = parts.at(-1) ?? 0
    if (last >= 0 || this.group(last).isAny) return parts
    return [...parts.slice(0, -1), ...this.group(last).parts]
  }

  /** The pattern that all rules asking for the same share, and whether it is new. */
  share(normal: readonly NormalPart[]): { pattern: number; isNew: boolean } {
    const parts = this.#parts(normal)
    const hash = this.#hashParts(parts)
    const known = this.#shared.find(hash, one => this.#areSame(this.partsOf(one), parts))
    if (known !== 0) {
      this.#releaseParts(parts)
      return { pattern: known, isNew: false }
    }
    return { pattern: this.#add(parts, hash), isNew: true }
  }

  /** The pattern is no rule's any more. */
  release(pattern: number): void {
    const parts = this.partsOf(pattern)
    const last = this.#rows.words[pattern * width + hashAt - 1] as Part
    if (parts.length > mostParts) this.#groups.release(-last)
    this.recentSigns.delete(pattern)
    this.#shared.delete(pattern)
    this.#rows.release(pattern)
    this.#releaseParts(parts)
  }

  forEach(each: (pattern: number) => void): void {
    this.#shared.forEach(each)
  }

  #add(parts: readonly Part[], hash: number): number {
    const pattern = this.#rows.take()
    const places = parts.length > mostParts ? [...parts.slice(0, mostParts - 1), this.#rest(parts)] : parts
    const { words } = this.#rows
    words.set(places, pattern * width + firstPartAt)
    words[pattern * width + hashAt] = hash
    this.#shared.add(pattern)
    return pattern
  }

  #rest(parts: readonly Part[]): Part {
    return -this.#groups.take({ isAny: false, parts: parts.slice(mostParts - 1), hash: 0 })
  }

  #parts(normal: readonly NormalPart[]): Part[] {
    const parts = normal.map(part => (isGroup(part) ? this.#group(part.isAny, part.parts) : this.#clause(part)))
    // The cheapest first, and in one order whatever the order they were written in.
    return parts.sort((one, other) => this.#effort(one) - this.#effort(other) || this.#hash(one) - this.#hash(other))
  }

  #group(isAny: boolean, normal: readonly NormalPart[]): Part {
    const parts = this.#parts(normal)
    return -this.#groups.take({ isAny, parts, hash: extendHash(this.#hashParts(parts), isAny ? 1 : 2) })
  }

  #clause(text: ClauseText): Part {
    const { clauses } = this
    const field = this.scope.field(text.fact, text.steps)
    let clause = clauses.find(field, text)
    if (clause === 0) {
      clause = clauses.add(field, text)
      field.namedValues += namedValues(text.operator, text.value)
      if (text.inner !== undefined) {
        field.members ??= new Patterns()
        clauses.setInner(clause, field.members.#add(field.members.#parts(text.inner), text.hash))
      }
    } else this.scope.release(field)
    clauses.addUses(clause, 1)
    return clauses.partOf(clause)
  }

  #releaseParts(parts: readonly Part[]): void {
    for (const part of parts) {
      if (part > 0) this.#releaseClause(this.clauses.clauseOf(part))
      else {
        this.#releaseParts(this.group(part).parts)
        this.#groups.release(-part)
      }
    }
  }

  #releaseClause(clause: number): void {
    const { clauses } = this
    if (clauses.addUses(clause, -1) > 0) return
    const field = clauses.field(clause)
    const inner = clauses.inner(clause)
    field.namedValues -= namedValues(clauses.operator(clause), clauses.value(clause))
    if (inner !== 0) field.members?.release(inner)
    clauses.delete(clause)
    this.scope.release(field)
  }

  #areSame(one: readonly Part[], other: readonly Part[]): boolean {
    return one.length === other.length && one.every((part, at) => this.#isSame(part, other[at] as Part))
  }

  /** Clauses are shared, so the same clause is the same part. */
  #isSame(one: Part, other: Part): boolean {
    if (one > 0 || other > 0) return one === other
    const [group, otherGroup] = [this.group(one), this.group(other)]
    return group.isAny === otherGroup.isAny && this.#areSame(group.parts, otherGroup.parts)
  }

  #hashParts(parts: readonly Part[]): number {
    let hash = hashStart
    for (const part of parts) hash = extendHash(hash, this.#hash(part))
    return spread(hash)
  }

  #hash(part: Part): number {
    return part > 0 ? this.clauses.hash(this.clauses.clauseOf(part)) : this.group(part).hash
  }

  /** What says no soonest for the least is asked first; what the rule was found by will say yes anyway. */
  #effort(part: Part): number {
    if (part < 0) return asking.notByOperator + 1
    const clause = this.clauses.clauseOf(part)
    const how = this.clauses.asking(clause)
    const value = this.clauses.value(clause)
    return typeof value === 'string' && value.length >= longText ? asking.between + 0.5 + how / 100 : how
  }
}

/** A text as long as this is rather a name than one of a few values: most likely it is how the rule was found. */
const longText = 12

const naming = new Set(['equal', 'contains', 'equalsIgnoreCase'])

function namedValues(operator: string, value: unknown): number {
  if (naming.has(operator)) return 1
  return operator === 'in' && Array.isArray(value) ? value.length / 2 : 0
}
