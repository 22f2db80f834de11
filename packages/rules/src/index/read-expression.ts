import { foldCase } from '../fold-case.ts'
import { type CharacterSet, readSet, setItem, setOf } from './character-set.ts'
import { literalEscape, unescaped } from './literal-escape.ts'
import type { Program, Step } from './simple-expression.ts'

/** More steps than this are left to RE2, above all counted repeats, which are written out. */
const mostSteps = 200

/** The first step written is the last to be taken. */
const theEnd = 0

const literal = new RegExp(String.raw`[^\\.[(){^$|*+?]|${literalEscape}`, 'y')
const set = new RegExp(String.raw`\[\^?(?![\^-])(?:${setItem})+\]`, 'y')
/** Which of those there are makes no difference to whether the whole text matches, but for `i` and `s`. */
const leadingFlags = /(?:\(\?[imsU]+\))*/y

type Part =
  | { readonly is: 'text'; readonly text: string }
  | { readonly is: 'character'; readonly set: CharacterSet }
  | Sequence
  | { readonly is: 'choice'; readonly parts: readonly Part[] }
  | { readonly is: 'repeat'; readonly part: Part; readonly least: number; readonly most: number }

interface Sequence {
  readonly is: 'sequence'
  readonly parts: readonly Part[]
}

/** What `.` stands for. */
const ofLine = setOf(['\n'], true, false)
const ofAll = setOf([], true, false)

/** Undefined for an expression that is not simple. */
export function readExpression(pattern: string): Program | undefined {
  // A character of two units may be half of one in a text; RE2 knows what to make of that.
  if (/[\ud800-\udfff]/.test(pattern)) return undefined
  const reader = new Reader(pattern)
  const whole = reader.readChoice()
  if (whole === undefined || !reader.isAtEnd) return undefined
  const lead = leadOf(whole)
  const part = lead === undefined ? whole : { ...whole, parts: (whole as Sequence).parts.slice(1) }
  const steps: Step[] = [{ is: 'end' }]
  const start = write(part as Part, theEnd, steps)
  return steps.length <= mostSteps ? { steps, start, lead, ignoresCase: reader.ignoresCase } : undefined
}

/** What stands behind a `.*` with which the expression starts. */
function leadOf(part: Part): Program['lead'] {
  const [first, second] = part.is === 'sequence' ? part.parts : []
  if (first?.is !== 'repeat' || second?.is !== 'text') return undefined
  if (first.part.is !== 'character' || first.least > 0 || first.most !== Number.POSITIVE_INFINITY) return undefined
  const { set } = first.part
  if (set !== ofLine && set !== ofAll) return undefined
  return { text: second.text, isInFirstLine: set === ofLine }
}

/** Reads what it knows to mean here what it means in RE2; the rest makes everything undefined. */
class Reader {
  readonly #pattern: string
  /** Literal text and sets are folded, and so must be the text that is asked about. */
  readonly ignoresCase: boolean
  readonly #crossesLines: boolean
  #at = 0

  constructor(pattern: string) {
    this.#pattern = pattern
    const flags = this.#take(leadingFlags) as string
    this.ignoresCase = flags.includes('i')
    this.#crossesLines = flags.includes('s')
  }

  get isAtEnd(): boolean {
    return this.#at === this.#pattern.length
  }

  readChoice(): Part | undefined {
    const parts: Part[] = []
    do {
      const sequence = this.#readSequence()
      if (sequence === undefined) return undefined
      parts.push(sequence)
    } while (this.#take(/\|/y) !== undefined)
    return parts.length === 1 ? parts[0] : { is: 'choice', parts }
  }

  #readSequence(): Part | undefined {
    const parts: Part[] = []
    while (!this.isAtEnd && !/[|)]/.test(this.#pattern[this.#at] as string)) {
      const part = this.#readPart()
      if (part === undefined) return undefined
      const repeated = this.#readRepeat(part)
      if (repeated === undefined) return undefined
      const last = parts.at(-1)
      // Characters that follow each other are one text.
      if (repeated.is === 'text' && last?.is === 'text')
        parts[parts.length - 1] = { is: 'text', text: last.text + repeated.text }
      else parts.push(repeated)
    }
    return { is: 'sequence', parts }
  }

  #readPart(): Part | undefined {
    const character = this.#take(literal)
    if (character !== undefined) return this.#text(unescaped(character))
    if (this.#take(/\./y) !== undefined) return { is: 'character', set: this.#crossesLines ? ofAll : ofLine }
    const named = this.#take(/\\[dDsSwW]/y)
    if (named !== undefined) return { is: 'character', set: setOf([named], false, this.ignoresCase) }
    const inBrackets = this.#take(set)
    if (inBrackets !== undefined) {
      const known = readSet(inBrackets, this.ignoresCase)
      return known && { is: 'character', set: known }
    }
    if (this.#take(/\((?:\?:|\?P?<\w+>|(?!\?))/y) === undefined) return undefined
    const inner = this.readChoice()
    return this.#take(/\)/y) === undefined ? undefined : inner
  }

  #text(character: string): Part | undefined {
    // One of two units, or half of one: see above.
    if (/[\ud800-\udfff]/.test(character)) return undefined
    return { is: 'text', text: this.ignoresCase ? foldCase(character) : character }
  }

  #readRepeat(part: Part): Part | undefined {
    const quantifier = this.#take(/(?:[*+?]|\{\d{1,3}(?:,\d{0,3})?\})\??/y)
    if (quantifier === undefined) return part
    // RE2 refuses two in a row.
    if (this.#take(/[*+?{]/y) !== undefined) return undefined
    const [least, most] = countsOf(quantifier)
    return most < least || least > mostSteps || (most > mostSteps && most !== Number.POSITIVE_INFINITY)
      ? undefined
      : { is: 'repeat', part, least, most }
  }

  #take(what: RegExp): string | undefined {
    what.lastIndex = this.#at
    const found = what.exec(this.#pattern)?.[0]
    this.#at += found?.length ?? 0
    return found
  }
}

/** How often; whether greedily makes no difference to whether the whole text matches. */
function countsOf(quantifier: string): [least: number, most: number] {
  if (quantifier.startsWith('*')) return [0, Number.POSITIVE_INFINITY]
  if (quantifier.startsWith('+')) return [1, Number.POSITIVE_INFINITY]
  if (quantifier.startsWith('?')) return [0, 1]
  const [least = 0, most] = quantifier.replace(/[{}?]/g, '').split(',')
  if (most === undefined) return [Number(least), Number(least)]
  return [Number(least), most === '' ? Number.POSITIVE_INFINITY : Number(most)]
}

/** Writes a part's steps in front of `next`, and says where they start. */
function write(part: Part, next: number, steps: Step[]): number {
  if (steps.length > mostSteps) return next
  switch (part.is) {
    case 'text':
    case 'character':
      return steps.push({ ...part, next }) - 1
    case 'sequence':
      return part.parts.reduceRight((behind, one) => write(one, behind, steps), next)
    case 'choice':
      return part.parts
        .map(one => write(one, next, steps))
        .reduceRight((other, first) => steps.push({ is: 'either', next: first, other }) - 1)
    case 'repeat':
      return writeRepeat(part, next, steps)
  }
}

function writeRepeat({ part, least, most }: Extract<Part, { is: 'repeat' }>, next: number, steps: Step[]): number {
  let start = next
  if (most === Number.POSITIVE_INFINITY && part.is === 'character' && next === theEnd) {
    start = steps.push({ is: 'rest', set: part.set, next }) - 1
  } else if (most === Number.POSITIVE_INFINITY) {
    const loop = { is: 'either' as const, next, other: next }
    start = steps.push(loop) - 1
    loop.next = write(part, start, steps)
  } else {
    for (let more = least; more < most && steps.length <= mostSteps; more++) {
      start = steps.push({ is: 'either', next: write(part, start, steps), other: next }) - 1
    }
  }
  for (let more = 0; more < least && steps.length <= mostSteps; more++) start = write(part, start, steps)
  return start
}
