import type { Predicate } from '../operator.ts'
import { compileOperator, operatorNames } from '../operators.ts'
import { ask, asking, howToAsk } from './asking.ts'
import { expressionTest } from './expression-test.ts'
import type { Field, Scope } from './field.ts'
import { extendHash, hashText, hashValue, isSameValue, spread } from './hash.ts'
import type { NormalPart } from './normal-form.ts'
import { NumberMap } from './number-map.ts'
import { RowTable } from './row-table.ts'
import { Rows } from './rows.ts'

/** A clause before it is shared: what it says, and whether the opposite is meant. */
export interface ClauseText {
  readonly fact: string
  readonly steps: readonly string[]
  readonly operator: string
  readonly value: unknown
  readonly isNegated: boolean
  /** What `element` asks of a member, where that is looked up instead of asked. */
  readonly inner: readonly NormalPart[] | undefined
  readonly hash: number
}

// The columns of a clause. How it is asked comes first.
const fieldAt = 1
/** The number that the field has for the value, of a clause that compares by it. */
const valueIdAt = 2
/** The number of the alert that the last verdict is about; less than 0 if the verdict was no. */
const verdictAt = 3
/** The pattern of what `element` asks of a member. */
const innerAt = 4
/** What stands in patterns for a clause that compares by the number of a value. No such clause has a pattern inside. */
const partAt = 4
const usesAt = 5
const hashAt = 6
const nextAt = 7
const width = 8

// The bits of a part that says all of its clause: that it does, whether it is `notEqual`, the field, and the value.
const isWhole = 2 ** 30
const isNot = 2 ** 29
const valueIdBits = 19
const mostFields = 2 ** (29 - valueIdBits) - 1
const mostValues = 2 ** valueIdBits - 1

/** Names as they are in this program, so that not each clause keeps a text of its own. */
const ownNames: ReadonlyMap<string, string> = new Map(operatorNames.map(name => [name, name]))

/** The clauses of all rules, each kept once however many rules have it, and known by its number. */
export class Clauses {
  readonly #scope: Scope
  readonly #rows = new Rows(width)
  readonly #table = new RowTable(this.#rows, hashAt, nextAt)
  readonly #byPart = new NumberMap()
  readonly #values: unknown[] = [undefined]
  readonly #operators: string[] = ['']
  /** Compiled when first asked: of many rules few ever come so far. */
  readonly #tests: (Predicate | undefined)[] = [undefined]

  constructor(scope: Scope) {
    this.#scope = scope
  }

  get size(): number {
    return this.#table.size
  }

  /** 0 if no rule has it. */
  find(field: Field, text: ClauseText): number {
    return this.#table.find(text.hash, clause => this.#says(clause, field, text))
  }

  add(field: Field, { operator, value, isNegated, hash }: ClauseText): number {
    const clause = this.#rows.take()
    const how = howToAsk(operator, value, isNegated)
    this.#set(clause, 0, how)
    this.#set(clause, fieldAt, field.number)
    if (how === asking.equal || how === asking.notEqual) this.#compareById(clause, field, how, value)
    this.#set(clause, hashAt, hash)
    this.#values[clause] = operator === 'element' ? packed(value) : value
    this.#operators[clause] = ownNames.get(operator) ?? operator
    this.#tests[clause] = undefined
    this.#table.add(clause)
    return clause
  }

  delete(clause: number): void {
    const id = this.#get(clause, valueIdAt)
    if (id !== 0) this.field(clause).values.release(id)
    if (this.partOf(clause) !== clause) this.#byPart.delete(this.partOf(clause))
    this.#table.delete(clause)
    this.#rows.release(clause)
    this.#values[clause] = undefined
    this.#tests[clause] = undefined
    if (this.size > 0) return
    for (const list of [this.#values, this.#operators, this.#tests]) list.length = 1
  }

  /**
   * What patterns keep of a clause: its number, or, if it can be, all that it says, so that the clause itself need not be
   * fetched when it is asked.
   */
  partOf(clause: number): number {
    const part = this.#get(clause, partAt)
    return part < isWhole ? clause : part
  }

  clauseOf(part: number): number {
    return part < isWhole ? part : this.#byPart.get(part)
  }

  partHolds(part: number): boolean {
    if (part < isWhole) return this.holds(part)
    const field = this.#scope.fields.items[(part >>> valueIdBits) & mostFields] as Field
    return (field.valueId() === (part & mostValues)) === ((part & isNot) === 0)
  }

  holds(clause: number): boolean {
    const { words } = this.#rows
    const at = clause * width
    const field = this.#scope.fields.items[words[at + fieldAt] as number] as Field
    const how = words[at] as number
    if (how === asking.equal) return field.valueId() === words[at + valueIdAt]
    if (how === asking.notEqual) return field.valueId() !== words[at + valueIdAt]
    const found = field.read()
    return ask(how, found, this.#values[clause]) ?? this.#askByOperator(clause, found)
  }

  #compareById(clause: number, field: Field, how: number, value: unknown): void {
    const id = field.values.take(value)
    this.#set(clause, valueIdAt, id)
    if (id > mostValues || field.number > mostFields) return
    const part = isWhole | (how === asking.equal ? 0 : isNot) | (field.number << valueIdBits) | id
    this.#set(clause, partAt, part)
    this.#byPart.set(part, clause)
  }

  /** For when the numbers of alerts begin again. */
  forget(): void {
    this.#rows.clear(verdictAt)
  }

  asking(clause: number): number {
    return this.#get(clause, 0)
  }

  isNegated(clause: number): boolean {
    return this.#get(clause, 0) === asking.notByOperator
  }

  field(clause: number): Field {
    return this.#scope.fields.items[this.#get(clause, fieldAt)] as Field
  }

  operator(clause: number): string {
    return this.#operators[clause] as string
  }

  value(clause: number): unknown {
    const value = this.#values[clause]
    return value instanceof Packed ? JSON.parse(value.text) : value
  }

  hash(clause: number): number {
    return this.#get(clause, hashAt)
  }

  /** 0 if it has none. */
  inner(clause: number): number {
    const inner = this.#get(clause, innerAt)
    return inner < isWhole ? inner : 0
  }

  setInner(clause: number, pattern: number): void {
    this.#set(clause, innerAt, pattern)
  }

  /** The clause need not be asked about this alert any more. */
  setHolds(clause: number): void {
    this.#set(clause, verdictAt, this.#scope.epoch)
  }

  /** In how many patterns it stands. */
  uses(clause: number): number {
    return this.#get(clause, usesAt)
  }

  /** Returns what is left. */
  addUses(clause: number, uses: 1 | -1): number {
    const left = this.#get(clause, usesAt) + uses
    this.#set(clause, usesAt, left)
    return left
  }

  #get(clause: number, column: number): number {
    return this.#rows.words[clause * width + column] as number
  }

  #set(clause: number, column: number, word: number): void {
    this.#rows.words[clause * width + column] = word
  }

  #says(clause: number, field: Field, { operator, value, isNegated }: ClauseText): boolean {
    return (
      this.field(clause) === field &&
      this.operator(clause) === operator &&
      this.isNegated(clause) === isNegated &&
      isSameValue(this.value(clause), value)
    )
  }

  #askByOperator(clause: number, found: unknown): boolean {
    const { epoch } = this.#scope
    const verdict = this.#get(clause, verdictAt)
    if (verdict === epoch || verdict === -epoch) return verdict > 0
    this.#tests[clause] ??= compile(this.operator(clause), this.value(clause))
    const holds = this.#tests[clause](found) !== this.isNegated(clause)
    this.#set(clause, verdictAt, holds ? epoch : -epoch)
    return holds
  }
}

/** Conditions within a clause as text, in a third of the room. They are looked up elsewhere and hardly ever wanted again. */
class Packed {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }
}

function packed(value: unknown): unknown {
  const text = JSON.stringify(value)
  return isSameValue(JSON.parse(text), value) ? new Packed(text) : value
}

function compile(operator: string, value: unknown): Predicate {
  const test = compileOperator(operator, value)
  return operator === 'matches' ? expressionTest(value, test) : test
}

/** Fields are told apart when chains are walked; that two fields share a chain is rare enough. */
export function hashClause({ fact, steps, operator, value, isNegated }: Omit<ClauseText, 'inner' | 'hash'>): number {
  let hash = extendHash(hashText(fact), isNegated ? 1 : 0)
  for (const name of steps) hash = extendHash(hash, hashText(name))
  return spread(extendHash(extendHash(hash, hashText(operator)), hashValue(value)))
}
