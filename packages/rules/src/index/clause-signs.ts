import type { Decorator } from '../decorators.ts'
import { type Asked, splitOperator } from '../operators.ts'
import { boundsOf } from '../own-operators.ts'
import { askedSign, throwsAt } from './asked-signs.ts'
import type { Clauses } from './clauses.ts'
import { forEachSign } from './cover.ts'
import { expressionSigns } from './expression-signs.ts'
import type { Field } from './field.ts'
import { networkSigns } from './network-signs.ts'
import { numberSigns, outsideSigns, rangeSign, textBoundSigns } from './range-signs.ts'
import { allSigns, anySign, noSign, Sign, type Signs, shows } from './sign.ts'
import { equalsIgnoreCaseSign, prefixSign, suffixSign, wildcardSigns } from './text-signs.ts'

/** What a clause asks, with its decorators taken off one by one. */
interface Question {
  readonly field: Field
  /** Asked of the members of the field's list. */
  readonly ofMember: boolean
  readonly decorators: readonly Decorator[]
  readonly base: string
  readonly value: unknown
  readonly isNegated: boolean
}

export function signsOf(clauses: Clauses, clause: number): Signs {
  const signs = signsOfClause(clauses, clause)
  const uses = clauses.uses(clause)
  forEachSign(signs, sign => {
    sign.uses = uses
  })
  return signs
}

/** At the least, that it holds when it is asked. */
function signsOfClause(clauses: Clauses, clause: number): Signs {
  const field = clauses.field(clause)
  const value = clauses.value(clause)
  const isNegated = clauses.isNegated(clause)
  const asked = splitOperator(clauses.operator(clause)) as Asked
  const { decorators, base } = asked
  if (clauses.inner(clause) !== 0) {
    const element = new Sign(field, false, shows.element, clause)
    return isNegated ? anySign([new Sign(field, false, shows.noElements, undefined), element]) : element
  }
  // A clause is false where the engine throws, and `not` of it true: no sign of the opposite need show then.
  const throws = isNegated && decorators.length > 0 ? throwsAt(asked, value) : 'nothing'
  if (throws === 'anything') return new Sign(field, false, shows.asked, clause)
  const signs = signsOfQuestion({ field, ofMember: false, decorators, base, value, isNegated })
  if (throws === 'nothing') return signs ?? new Sign(field, false, askedSign(asked, value, isNegated), clause)
  if (signs === undefined) return new Sign(field, false, shows.asked, clause)
  const ofMember = decorators.includes('someFact') || decorators.includes('everyFact')
  return anySign([signs, new Sign(field, ofMember, shows.unordered, undefined)])
}

/** Undefined where there is nothing to go by. */
function signsOfQuestion(question: Question): Signs | undefined {
  const [outermost, ...decorators] = question.decorators
  const inner = { ...question, decorators }
  const { ofMember, isNegated, value } = question
  switch (outermost) {
    case undefined:
      return signsOfOperator(question)
    case 'not':
      return signsOfQuestion({ ...inner, isNegated: !isNegated })
    case 'swap':
      return signsOfSwapped(inner)
    case 'someValue':
    case 'everyValue':
      if (!Array.isArray(value)) return isNegated ? undefined : noSign
      return signsOfValues(inner, value, (outermost === 'someValue') !== isNegated)
  }
  return ofMember ? undefined : signsOfMembers(inner, (outermost === 'someFact') !== isNegated)
}

/** What is no list has no member that is something, and not all of them either. */
function signsOfMembers(question: Question, isAny: boolean): Signs | undefined {
  const { field, isNegated } = question
  const ofMembers = signsOfQuestion({ ...question, ofMember: true })
  if (ofMembers === undefined) return undefined
  const signs = [ofMembers]
  if (isNegated) signs.push(new Sign(field, false, shows.noList, undefined))
  if (!isAny) signs.push(new Sign(field, false, shows.empty, undefined))
  return signs.length === 1 ? ofMembers : anySign(signs)
}

function signsOfValues(question: Question, values: readonly unknown[], isAny: boolean): Signs | undefined {
  const signs: Signs[] = []
  for (const value of values) {
    const ofValue = signsOfQuestion({ ...question, value })
    if (ofValue !== undefined) signs.push(ofValue)
    else if (isAny) return undefined
  }
  if (isAny) return anySign(signs)
  return signs.length > 0 ? allSigns(signs) : undefined
}

/** A text has as many starts as characters. More are too much to be held by. */
const mostStarts = 64

/** Some operators mean the same or nearly so from the other side; the rest is asked. */
function signsOfSwapped(question: Question): Signs | undefined {
  const { field, ofMember, base, decorators, value, isNegated } = question
  if (decorators.length > 0) return undefined
  if (base === 'equal' || base === 'notEqual' || base === 'equalsIgnoreCase') return signsOfOperator(question)
  if (base === 'contains' && Array.isArray(value)) return signsOfOperator({ ...question, base: 'in' })
  if (isNegated || (base !== 'startsWith' && base !== 'endsWith')) return undefined
  if (typeof value !== 'string' || value.length > mostStarts) return undefined
  const starts = Array.from({ length: value.length + 1 }, (_, size) =>
    base === 'startsWith' ? value.slice(0, size) : value.slice(value.length - size),
  )
  return equalSigns(field, ofMember, starts)
}

function signsOfOperator(question: Question): Signs | undefined {
  return question.isNegated ? signsOfOpposite(question) : signsOfPlain(question)
}

function signsOfPlain({ field, ofMember, base, value }: Question): Signs | undefined {
  switch (base) {
    case 'equal':
      return equalSign(field, ofMember, value)
    case 'in':
      return Array.isArray(value) ? equalSigns(field, ofMember, value) : undefined
    case 'contains':
      return containsSign(field, ofMember, value)
    case 'lessThan':
    case 'lessThanInclusive':
    case 'greaterThan':
    case 'greaterThanInclusive':
      return typeof value === 'string'
        ? textBoundSigns(field, ofMember, base, value)
        : numberSigns(field, ofMember, base, value, false)
    case 'between': {
      const bounds = boundsOf(value)
      return bounds === undefined ? noSign : rangeSign(field, ofMember, ...bounds)
    }
    case 'exists':
      if (typeof value !== 'boolean') return noSign
      return ofMember ? undefined : new Sign(field, false, value ? shows.present : shows.absent, undefined)
    case 'cidr':
      return networkSigns(field, ofMember, value)
    default:
      return typeof value === 'string' ? signsOfText(field, ofMember, base, value) : undefined
  }
}

function signsOfText(field: Field, ofMember: boolean, base: string, text: string): Signs | undefined {
  switch (base) {
    case 'startsWith':
      return prefixSign(field, ofMember, text)
    case 'endsWith':
      return suffixSign(field, ofMember, text)
    case 'equalsIgnoreCase':
      return equalsIgnoreCaseSign(field, ofMember, text)
    case 'wildcard':
      return wildcardSigns(field, ofMember, text)
    case 'matches':
      return expressionSigns(field, ofMember, text)
    default:
      return undefined
  }
}

/** Most opposites hold of nearly everything, so that asking each costs no more than what they find. */
function signsOfOpposite({ field, ofMember, base, value }: Question): Signs | undefined {
  switch (base) {
    case 'notEqual':
      return equalSign(field, ofMember, value)
    case 'notIn':
      return Array.isArray(value) ? equalSigns(field, ofMember, value) : undefined
    case 'doesNotContain': {
      const contains = containsSign(field, ofMember, value)
      return contains && anySign([contains, new Sign(field, ofMember, shows.noList, undefined)])
    }
    case 'lessThan':
    case 'lessThanInclusive':
    case 'greaterThan':
    case 'greaterThanInclusive':
      return typeof value === 'string' ? undefined : numberSigns(field, ofMember, base, value, true)
    case 'between': {
      const bounds = boundsOf(value)
      return bounds === undefined ? undefined : outsideSigns(field, ofMember, ...bounds)
    }
    case 'exists':
      if (typeof value !== 'boolean' || ofMember) return undefined
      return new Sign(field, false, value ? shows.absent : shows.present, undefined)
    default:
      return undefined
  }
}

/** Lists and objects are the same only if they are one object, which a rule's and an alert's are not when both were JSON. */
function equalSign(field: Field, ofMember: boolean, value: unknown): Signs | undefined {
  if (value === undefined || (typeof value === 'object' && value !== null)) return undefined
  if (Number.isNaN(value)) return noSign
  return new Sign(field, ofMember, shows.equal, value)
}

function containsSign(field: Field, ofMember: boolean, value: unknown): Signs | undefined {
  const equal = equalSign(field, true, value)
  return ofMember && equal instanceof Sign ? new Sign(field, true, shows.listed, value) : equal
}

function equalSigns(field: Field, ofMember: boolean, values: readonly unknown[]): Signs | undefined {
  const signs = values.map(value => equalSign(field, ofMember, value))
  return signs.includes(undefined) ? undefined : anySign(signs as Signs[])
}
