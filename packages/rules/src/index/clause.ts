import type { Predicate } from '../operator.ts'
import { compileOperator } from '../operators.ts'
import { ask, asking, howToAsk } from './asking.ts'
import { expressionTest } from './expression-test.ts'
import type { Field } from './field.ts'
import { extendHash, hashText, hashValue, isSameValue, spread } from './hash.ts'
import type { Interned } from './intern-table.ts'
import type { NormalPart } from './normal-form.ts'
import type { Pattern } from './pattern.ts'

/** A clause before it is shared: what it says, and whether the opposite is meant. */
export interface ClauseText {
  readonly fact: string
  readonly steps: readonly string[]
  readonly operator: string
  readonly value: unknown
  readonly isNegated: boolean
  /** What `element` asks of a member, where that is looked up instead of asked. */
  readonly inner: readonly NormalPart[] | undefined
}

/** A clause, one object for all rules that have it. */
export class Clause implements Interned<Clause> {
  // What is read when the clause is asked comes first, in one or two lines of the processor's cache.
  readonly field: Field
  readonly value: unknown
  readonly asking: number
  /** The number of the alert that the last verdict is about; less than 0 if the verdict was no. */
  verdict = 0
  /** Compiled when first asked: of many rules few ever come so far. */
  test: Predicate | undefined = undefined
  readonly isNegated: boolean
  readonly operator: string
  /** What `element` asks of a member. */
  inner: Pattern | undefined = undefined
  readonly hash: number
  next: Clause | undefined = undefined
  uses = 0

  constructor(field: Field, { operator, value, isNegated }: ClauseText, hash: number) {
    this.field = field
    this.value = value
    this.asking = isNegated ? asking.byOperator : howToAsk(operator, value)
    this.isNegated = isNegated
    this.operator = operator
    this.hash = hash
  }

  holds(): boolean {
    const found = this.field.read()
    return ask(this.asking, found, this.value) ?? askByOperator(this, found)
  }

  says(field: Field, { operator, value, isNegated }: ClauseText): boolean {
    return (
      this.field === field &&
      this.operator === operator &&
      this.isNegated === isNegated &&
      isSameValue(this.value, value)
    )
  }
}

function compile({ operator, value }: Clause): Predicate {
  const test = compileOperator(operator, value)
  return operator === 'matches' ? expressionTest(value, test) : test
}

/** Not a private method: those cost each instance a word, and there may be millions. */
function askByOperator(clause: Clause, found: unknown): boolean {
  const { epoch } = clause.field.scope
  if (clause.verdict === epoch || clause.verdict === -epoch) return clause.verdict > 0
  clause.test ??= compile(clause)
  const holds = clause.test(found) !== clause.isNegated
  clause.verdict = holds ? epoch : -epoch
  return holds
}

/** Fields are told apart when chains are walked; that two fields share a chain is rare enough. */
export function hashClause({ fact, steps, operator, value, isNegated }: ClauseText): number {
  let hash = extendHash(hashText(fact), isNegated ? 1 : 0)
  for (const name of steps) hash = extendHash(hash, hashText(name))
  return spread(extendHash(extendHash(hash, hashText(operator)), hashValue(value)))
}
