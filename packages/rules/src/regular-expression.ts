import { RE2JS, RE2JSException, RE2Set } from 're2js'
import { keptExpressions, type MadeExpression } from './kept-expressions.ts'
import { limits } from './language.ts'
import { never, type Operator, plain } from './operator.ts'
import { leastCost } from './pattern-cost.ts'

/** What is read of a program of RE2: of a set of characters, where each of its ranges begins and ends. */
interface Program {
  readonly inst: readonly { readonly runes: ArrayLike<number> | null }[]
}

/** A set of so many ranges of characters counts as another instruction: `\pL`, which has 684, as six. */
const rangesOfInstruction = 128

interface Unmeasured {
  readonly problem: string
  readonly code: 'too_costly' | 'bad_pattern'
}

/**
 * What a pattern costs, in instructions, or a sentence on what is wrong with it. RE2's syntax has nothing that could
 * take more than one look at each character for each instruction: no look-around, no back reference.
 */
export function measurePattern(pattern: string): { instructions: number } | Unmeasured {
  if (pattern.length > limits.patternLength) {
    const problem = `has ${pattern.length} characters; ${limits.patternLength} are allowed`
    return { problem, code: 'too_costly' }
  }
  const least = leastCost(pattern)
  if (least.repeats > mostParts) return { instructions: least.repeats }
  if (least.instructions > limits.patternInstructions) return least
  try {
    const parts = countParts(pattern)
    const instructions = parts > mostParts ? parts : countInstructions(RE2JS.compile(pattern).re2Input.prog)
    return { instructions: Math.max(instructions, least.instructions) }
  } catch (error) {
    if (!(error instanceof RE2JSException)) throw error
    const why = error.message.replace('error parsing regexp: ', '')
    return { problem: `is no RE2 pattern: ${why}`, code: 'bad_pattern' }
  }
}

/** What has more than this is not compiled to be measured: repeats of repeats could take seconds and a gigabyte. */
const mostParts = 10 * limits.patternInstructions

/** A part of a pattern as RE2 reads it, its repeats written out. */
interface Part {
  readonly op: unknown
  readonly subs: readonly Part[]
  readonly runes: ArrayLike<number> | null
}

function parse(pattern: string): Part {
  const set = new RE2Set()
  set.add(pattern)
  return set.regexps[0] as Part
}

const literal = parse('a').op

/** Parts of a pattern, until there are too many: about half of them or more are instructions. */
function countParts(pattern: string): number {
  const parts = [parse(pattern)]
  let count = 0
  for (let part = parts.pop(); part !== undefined && count <= mostParts; part = parts.pop()) {
    count += part.op === literal ? (part.runes?.length ?? 0) : 1
    for (const inner of part.subs) parts.push(inner)
  }
  return count
}

const countInstructions = ({ inst }: Program): number =>
  inst.reduce((sum, { runes }) => sum + 1 + Math.floor((runes?.length ?? 0) / 2 / rangesOfInstruction), 0)

/** For the states that RE2 makes of what instructions a text leads to. Most patterns never need a tenth of it. */
const stateBytes = 256 * 1024

/**
 * A pattern as RE2 has it. By itself it would keep up to 8 MB of states for each pattern, and begin again and again
 * where those are not enough: there making a state for each character takes five times as long as following the
 * instructions, which is what RE2 does without states. So they are filled once.
 */
export class RegularExpression implements MadeExpression<boolean> {
  readonly #re2: RE2JS
  readonly #programBytes: number

  constructor(pattern: string) {
    this.#re2 = RE2JS.compile(pattern)
    const { dfa, prog, onepass } = this.#re2.re2Input
    dfa.memBudget = stateBytes
    // What it has again after it was cleared.
    dfa.stateBudget = 0
    // As measured; where each character leaves one way only, RE2 keeps what amounts to three programs.
    const { inst }: Program = prog
    const runes = inst.reduce((sum, { runes }) => sum + (runes?.length ?? 0), 0)
    this.#programBytes = (4_000 + 250 * inst.length + 4 * runes) * (onepass === null ? 1 : 3)
  }

  /** The whole text. */
  matches(text: string): boolean {
    return this.#re2.testExact(text)
  }

  get bytes(): number {
    const { dfa } = this.#re2.re2Input
    return this.#programBytes + (dfa.stateCount === 0 ? 0 : stateBytes - dfa.memBudget)
  }
}

const isPattern = (named: unknown): named is string => typeof named === 'string' && named.length <= limits.patternLength

/** Asked once, so there is nothing to keep. */
const asked = plain(
  (found, pattern) => isPattern(pattern) && typeof found === 'string' && new RegularExpression(pattern).matches(found),
)

/** The pattern must match the whole text. It is compiled when it is first asked: many rules are loaded, few are. */
export const matches: Operator = {
  ...asked,
  compile: pattern => {
    if (!isPattern(pattern)) return never
    const holds = keptExpressions.keep(() => new RegularExpression(pattern))
    return found => typeof found === 'string' && holds(found)
  },
}
