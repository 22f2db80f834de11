import type { Predicate } from '../operator.ts'
import { compileOperator } from '../operators.ts'
import type { Field } from './field.ts'
import { extendHash, hashText, hashValue, isSameValue, spread } from './hash.ts'
import type { Interned } from './intern-table.ts'
import type { NormalPart } from './normal-form.ts'
import type { Pattern } from './pattern.ts'

/** How a clause is asked: these few without a call, all others by their operator, and then once per alert. */
const asking = { equal: 0, notEqual: 1, less: 2, lessOrEqual: 3, more: 4, moreOrEqual: 5, byOperator: 6 } as const

const askedDirectly: ReadonlyMap<string, number> = new Map([
  ['equal', asking.equal],
  ['notEqual', asking.notEqual],
])

const askedOfNumbers: ReadonlyMap<string, number> = new Map([
  ['lessThan', asking.less],
  ['lessThanInclusive', asking.lessOrEqual],
  ['greaterThan', asking.more],
  ['greaterThanInclusive', asking.moreOrEqual],
])

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
  readonly field: Field
  readonly operator: string
  readonly value: unknown
  readonly isNegated: boolean
  readonly hash: number
  readonly asking: number
  next: Clause | undefined = undefined
  uses = 0
  /** Compiled when first asked: of many rules few ever come so far. */
  test: Predicate | undefined = undefined
  /** What `element` asks of a member. */
  inner: Pattern | undefined = undefined
  /** The number of the alert that the last verdict is about; less than 0 if the verdict was no. */
  verdict = 0

  constructor(field: Field, { operator, value, isNegated }: ClauseText, hash: number) {
    this.field = field
    this.operator = operator
    this.value = value
    this.isNegated = isNegated
    this.hash = hash
    const direct = typeof value === 'number' ? askedOfNumbers.get(operator) : undefined
    this.asking = isNegated ? asking.byOperator : (direct ?? askedDirectly.get(operator) ?? asking.byOperator)
  }

  holds(): boolean {
    const { value } = this
    const found = this.field.read()
    switch (this.asking) {
      case asking.equal:
        return found === value
      case asking.notEqual:
        return found !== value
      case asking.less:
        return typeof found === 'number' ? found < (value as number) : askByOperator(this, found)
      case asking.lessOrEqual:
        return typeof found === 'number' ? found <= (value as number) : askByOperator(this, found)
      case asking.more:
        return typeof found === 'number' ? found > (value as number) : askByOperator(this, found)
      case asking.moreOrEqual:
        return typeof found === 'number' ? found >= (value as number) : askByOperator(this, found)
      default:
        return askByOperator(this, found)
    }
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

/** Not a private method: those cost each instance a word, and there may be millions. */
function askByOperator(clause: Clause, found: unknown): boolean {
  const { epoch } = clause.field.scope
  if (clause.verdict === epoch || clause.verdict === -epoch) return clause.verdict > 0
  clause.test ??= compileOperator(clause.operator, clause.value)
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
