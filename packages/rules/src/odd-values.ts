import { alertSchema, alertStatuses, severities } from '@tocsin/contracts/alert'
import type { Findings } from './findings.ts'
import { hasMembers } from './json-kinds.ts'
import type { Asked } from './operators.ts'

const alertFields = new Set(Object.keys(alertSchema.shape))
const closedFields = new Map<unknown, readonly unknown[]>([
  ['severity', severities],
  ['status', alertStatuses],
])

/** Where a rule asks about something that no alert has, or has in another form. */
export function warnOfPlace(findings: Findings, fact: string, path: string | undefined, pointer: string): void {
  if (!alertFields.has(fact)) {
    const instead = `context with the path $.${fact}`
    findings.warning(
      `${pointer}/fact`,
      'unknown_fact',
      `is no field of an alert: what a producer adds is in ${instead}`,
    )
  } else if (fact !== 'context' && path !== undefined && path !== '$') {
    findings.warning(`${pointer}/path`, 'path_on_scalar', `has no effect: ${fact} is no object, and is taken itself`)
  }
}

/** A plain operator on a field whose values are known beforehand. */
export function warnOfField(findings: Findings, fact: string, base: string, value: unknown, pointer: string): void {
  const values = closedFields.get(fact)
  const named = base === 'equal' ? [value] : base === 'in' && Array.isArray(value) ? value : []
  if (values !== undefined && named.length > 0 && !named.some(one => values.includes(one))) {
    findings.warning(pointer, 'never_holds', `is none of the values of ${fact}: ${values.join(', ')}`)
  }
}

/** `context` as a whole is an object, which is equal to nothing and contains nothing. */
export function warnOfWholeContext(findings: Findings, base: string, pointer: string): void {
  if (base === 'exists' || base === 'notEqual' || base === 'notIn') return
  findings.warning(pointer, 'never_holds', 'asks about the whole context: name a place in it with path')
}

/** A value that is allowed and can hardly be meant. */
export function warnOfValue(findings: Findings, { decorators, base }: Asked, value: unknown, pointer: string): void {
  const order = base.startsWith('lessThan') || base.startsWith('greaterThan')
  if (order) return void warnOfOrder(findings, value, pointer)
  const [verdict, why] = verdictOn(base, value) ?? []
  if (verdict !== undefined && why !== undefined) warnOfVerdict(findings, verdict, decorators, pointer, why)
}

/** Says what a clause comes to behind these decorators. Those that walk are left out: it depends on what they walk. */
function warnOfVerdict(
  findings: Findings,
  verdict: Verdict,
  decorators: readonly string[],
  pointer: string,
  why: string,
): void {
  if (!decorators.every(name => name === 'not')) return
  const flipped = decorators.length % 2 === 1
  findings.warning(pointer, (verdict === 'never') === flipped ? 'always_holds' : 'never_holds', why)
}

/** `decorators` are those before the one that walks the named value, which is empty. */
export function warnOfEmptyWalk(
  findings: Findings,
  walk: string,
  decorators: readonly string[],
  pointer: string,
): void {
  const verdict = walk.startsWith('some') ? 'never' : 'always'
  const why = verdict === 'never' ? 'no member of it meets anything' : 'every member of it meets everything'
  warnOfVerdict(findings, verdict, decorators, pointer, `is empty: ${why}`)
}

type Verdict = 'never' | 'always'

const identity = 'is an object or array, and those are equal to themselves only'

/** What an operator says with such a value of everything that it is made for. */
function verdictOn(base: string, value: unknown): [Verdict, why: string] | undefined {
  const negative = base === 'notEqual' || base === 'doesNotContain' || base === 'notIn'
  const verdict = negative ? 'always' : 'never'
  if (base === 'in' || base === 'notIn') {
    const members = value as unknown[]
    if (members.length === 0) return [verdict, 'is empty: nothing is in it']
    return members.every(hasMembers)
      ? [verdict, 'has nothing but objects or arrays, and those are equal to themselves only']
      : undefined
  }
  if (negative || base === 'equal' || base === 'contains') return hasMembers(value) ? [verdict, identity] : undefined
  if (base === 'between') {
    const [low, high] = value as [number, number]
    return low > high ? ['never', `runs from ${low} down to ${high}: the lower bound comes first`] : undefined
  }
  if (base === 'cidr')
    return Array.isArray(value) && value.length === 0 ? ['never', 'is empty: no address is in it'] : undefined
  if (base !== 'startsWith' && base !== 'endsWith') return undefined
  return value === '' ? ['always', 'is empty, and every text starts and ends with that'] : undefined
}

/** The engine compares as JavaScript does, so every value means something; only with numbers it is what it looks like. */
function warnOfOrder(findings: Findings, value: unknown, pointer: string): void {
  if (typeof value === 'number') return
  if (typeof value !== 'string') {
    const as = hasMembers(value) ? 'the text that it turns into' : `the number ${Number(value)}`
    findings.warning(pointer, 'odd_comparison', `is compared as ${as}: write a number`)
  } else if (value.trim() === '' || Number.isNaN(Number(value))) {
    findings.warning(pointer, 'odd_comparison', 'is no number: only text that starts like a number compares with it')
  } else {
    const letters = 'text of an alert is compared with it letter by letter, and "10" comes before "9"'
    findings.warning(pointer, 'odd_comparison', `is a string: ${letters}; write a number`)
  }
}
