import { parseNetwork } from './cidr.ts'
import type { Findings } from './findings.ts'
import { limits } from './language.ts'
import { warnOfEmptyWalk, warnOfValue } from './odd-values.ts'
import type { Asked } from './operators.ts'
import { measurePattern } from './regular-expression.ts'
import { textOf } from './text-of.ts'
import { kindOf, swappable, type ValueKind } from './value-kinds.ts'
import { parseWildcard } from './wildcard.ts'

export interface ValueCheck {
  findings: Findings
  /** Checks conditions that are a value: those of `element`. */
  element(nested: unknown, pointer: string): void
  /** Counts the members of a list that is walked. Returns whether they need to be looked at. */
  walks(members: number): boolean
}

/**
 * Follows a clause's value through its decorators to what the operator itself is given: `someValue:startsWith` wants an
 * array of strings. `at` is how far the chain is followed, `side` where the value stands there.
 */
export function validateValue(
  check: ValueCheck,
  asked: Asked,
  value: unknown,
  pointer: string,
  at = 0,
  side: 'left' | 'right' = 'right',
): void {
  const { findings } = check
  const decorator = asked.decorators[at]
  const inner = (part: unknown, where: string, nextSide = side) =>
    validateValue(check, asked, part, where, at + 1, nextSide)
  if (decorator === undefined) return void validateNamed(check, asked, value, pointer, side)
  if (decorator === 'swap') return void inner(value, pointer, side === 'right' ? 'left' : 'right')
  const walksLeft = decorator === 'someFact' || decorator === 'everyFact'
  const walksRight = decorator === 'someValue' || decorator === 'everyValue'
  if (side === 'right' ? !walksRight : !walksLeft) return void inner(value, pointer)
  if (!Array.isArray(value)) return void findings.problem(pointer, 'not_an_array', `must be an array for ${decorator}`)
  if (value.length > limits.walkedListLength) {
    const allowed = `${limits.walkedListLength} are allowed for ${decorator}`
    return void findings.problem(pointer, 'too_long', `has ${value.length} members; ${allowed}`)
  }
  if (!check.walks(value.length)) return
  if (value.length === 0) warnOfEmptyWalk(findings, decorator, asked.decorators.slice(0, at), pointer)
  for (const [index, part] of value.entries()) inner(part, `${pointer}/${index}`)
}

function validateNamed(
  { findings, element }: ValueCheck,
  asked: Asked,
  value: unknown,
  pointer: string,
  side: 'left' | 'right',
): void {
  const { base } = asked
  if (side === 'left') return void validateSwapped(findings, base, value, pointer)
  if (base === 'element') return void element(value, pointer)
  const kind = kindOf(base)
  if (kind !== undefined && !kind.schema.safeParse(value).success)
    return void validateKind(findings, kind, value, pointer)
  if (base === 'wildcard') validateWildcard(findings, value as string, pointer)
  else if (base === 'matches') validatePattern(findings, value as string, pointer)
  else if (base === 'cidr') validateNetworks(findings, value as string | string[], pointer)
  warnOfValue(findings, asked, value, pointer)
}

function validateSwapped(findings: Findings, base: string, value: unknown, pointer: string): void {
  if (!swappable.has(base)) {
    findings.problem(pointer, 'not_supported', `cannot be swapped: what ${base} is given must be in the rule`)
  }
  if (base !== 'in' && base !== 'notIn') return
  // An alert may bring a text to look in.
  const text = typeof value === 'object' && value !== null ? textOf(value, limits.wildcardPiece + 1) : String(value)
  if (text !== undefined && text.length > limits.wildcardPiece) {
    const allowed = `${limits.wildcardPiece} characters are allowed`
    findings.problem(pointer, 'too_costly', `is longer than what may be looked for in a text; ${allowed}`)
  }
}

/** What is wrong with a value that is not of its kind: what it is, or only how much of it there is. */
function validateKind(findings: Findings, { schema, code, message }: ValueKind, value: unknown, pointer: string): void {
  const isTooLong = Array.isArray(value) && value.length > limits.listLength
  if (isTooLong && schema.safeParse(value.slice(0, limits.listLength)).success) {
    return void findings.problem(pointer, 'too_long', `has ${value.length} members; ${limits.listLength} are allowed`)
  }
  findings.problem(pointer, code, message)
}

function validateWildcard(findings: Findings, value: string, pointer: string): void {
  const parsed = parseWildcard(value)
  if ('problem' in parsed) return void findings.problem(pointer, 'bad_pattern', parsed.problem)
  const { pieces, needless } = parsed
  const stars = pieces.length - 1
  const longest = pieces.slice(1, -1).reduce((most, piece) => Math.max(most, piece.length), 0)
  if (stars > limits.wildcardStars) {
    findings.problem(pointer, 'too_costly', `has ${stars} stars; ${limits.wildcardStars} are allowed`)
  }
  if (longest > limits.wildcardPiece) {
    const allowed = `${limits.wildcardPiece} are allowed`
    findings.problem(pointer, 'too_costly', `has ${longest} characters between two stars; ${allowed}`)
  }
  for (const character of new Set(needless)) {
    const meaning = `stands for ${character} alone: write \\\\ where a backslash is meant`
    findings.warning(pointer, 'odd_escape', `has \\${character}, which ${meaning}`)
  }
}

function validatePattern(findings: Findings, value: string, pointer: string): void {
  if (findings.hasPatternsEnough) return
  const measured = measurePattern(value)
  if ('problem' in measured) findings.badPattern(value, pointer, measured)
  else findings.spend(measured.instructions, pointer)
}

function validateNetworks(findings: Findings, value: string | string[], pointer: string): void {
  const one = typeof value === 'string'
  for (const [index, text] of (one ? [value] : value).entries()) {
    const network = parseNetwork(text)
    if ('problem' in network) findings.problem(one ? pointer : `${pointer}/${index}`, 'bad_network', network.problem)
  }
}
