import { asking } from './asking.ts'
import { Clause, type ClauseText, hashClause } from './clause.ts'
import { Scope } from './field.ts'
import { InternTable } from './intern-table.ts'
import { isGroup, type NormalPart } from './normal-form.ts'
import { areSameParts, Group, hashParts, type Part, Pattern } from './pattern.ts'

/** All that rules ask of an alert, or of the members of one field's list: each pattern once, made of clauses kept once. */
export class Patterns {
  readonly scope = new Scope()
  readonly clauses = new InternTable<Clause>()
  readonly #shared = new InternTable<Pattern>()

  get size(): number {
    return this.#shared.size
  }

  /** A new alert, or a new member of a list. */
  begin(root: object): void {
    if (!this.scope.begin(root)) return
    this.clauses.forEach(clause => {
      clause.verdict = 0
    })
    this.#shared.forEach(pattern => {
      pattern.considered = 0
    })
  }

  /** The pattern that all rules asking for the same share, and whether it is new. */
  share(normal: readonly NormalPart[]): { pattern: Pattern; isNew: boolean } {
    const parts = this.#parts(normal)
    const hash = hashParts(parts)
    const known = this.#shared.find(hash, one => areSameParts(one.parts, parts))
    if (known !== undefined) {
      this.#releaseParts(parts)
      return { pattern: known, isNew: false }
    }
    const pattern = new Pattern(parts, hash)
    this.#shared.add(pattern)
    return { pattern, isNew: true }
  }

  /** The pattern is no rule's any more. */
  release(pattern: Pattern): void {
    this.#shared.delete(pattern)
    this.#releaseParts(pattern.parts)
  }

  forEach(each: (pattern: Pattern) => void): void {
    this.#shared.forEach(each)
  }

  #parts(normal: readonly NormalPart[]): Part[] {
    const parts = normal.map(part =>
      isGroup(part) ? new Group(part.isAny, this.#parts(part.parts)) : this.#clause(part),
    )
    // The cheapest first, and in one order whatever the order they were written in.
    return parts.sort((one, other) => effort(one) - effort(other) || hashOf(one) - hashOf(other))
  }

  #clause(text: ClauseText): Clause {
    const field = this.scope.field(text.fact, text.steps)
    const hash = hashClause(text)
    let clause = this.clauses.find(hash, one => one.says(field, text))
    if (clause === undefined) {
      clause = new Clause(field, text, hash)
      field.namedValues += namedValues(text)
      if (text.inner !== undefined) {
        field.members ??= new Patterns()
        clause.inner = new Pattern(field.members.#parts(text.inner), hash)
        field.members.#shared.add(clause.inner)
      }
      this.clauses.add(clause)
    } else this.scope.release(field)
    clause.uses++
    return clause
  }

  #releaseParts(parts: readonly Part[]): void {
    for (const part of parts) {
      if (part instanceof Group) this.#releaseParts(part.parts)
      else this.#releaseClause(part)
    }
  }

  #releaseClause(clause: Clause): void {
    clause.uses--
    if (clause.uses > 0) return
    const { field, inner } = clause
    this.clauses.delete(clause)
    field.namedValues -= namedValues(clause)
    if (inner !== undefined && field.members !== undefined) field.members.release(inner)
    this.scope.release(field)
  }
}

/** A text as long as this is rather a name than one of a few values: most likely it is how the rule was found. */
const longText = 12

/** What says no soonest for the least is asked first; what the rule was found by will say yes anyway. */
function effort(part: Part): number {
  if (part instanceof Group) return asking.byOperator + 1
  return typeof part.value === 'string' && part.value.length >= longText
    ? asking.between + 0.5 + part.asking / 100
    : part.asking
}

const hashOf = (part: Part) => part.hash

const naming = new Set(['equal', 'contains', 'equalsIgnoreCase'])

function namedValues({ operator, value }: { readonly operator: string; readonly value: unknown }): number {
  if (naming.has(operator)) return 1
  return operator === 'in' && Array.isArray(value) ? value.length / 2 : 0
}
