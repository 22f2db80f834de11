import { type CharacterSet, isIn } from './character-set.ts'
import { foldedText } from './folded-text.ts'
import { readExpression } from './read-expression.ts'

/** What the rest of a text must be like, step by step. */
export type Step =
  | { readonly is: 'text'; readonly text: string; next: number }
  | { readonly is: 'character'; readonly set: CharacterSet; next: number }
  /** All that is left, if it is of this set. */
  | { readonly is: 'rest'; readonly set: CharacterSet; next: number }
  | { readonly is: 'either'; next: number; other: number }
  | { readonly is: 'end' }

export interface Program {
  readonly steps: readonly Step[]
  readonly start: number
  /** The text that the steps start with, when `.*` stands before it: they may start wherever that is. */
  readonly lead: { readonly text: string; readonly isInFirstLine: boolean } | undefined
  /** The steps are those of a text whose case is folded. */
  readonly ignoresCase: boolean
}

/** Longer texts are left to RE2: what has been tried is kept in a bit for each character and step. */
const longestText = 10_000

/**
 * A regular expression without anything but literal characters, sets, groups, alternatives and repeats, which nearly all
 * are. RE2 takes 200 µs and 37 kB to get ready for such a one; this takes 50 µs and 3 kB. That counts where
 * thousands of rules have one each and every alert asks another of them. It is as linear as RE2: no step is tried twice
 * at the same place.
 */
export class SimpleExpression {
  readonly #program: Program

  private constructor(program: Program) {
    this.#program = program
  }

  /** Undefined for any other expression. */
  static read(pattern: string): SimpleExpression | undefined {
    const program = readExpression(pattern)
    return program && new SimpleExpression(program)
  }

  /** About what it keeps in memory, as measured. */
  get bytes(): number {
    return 500 + 200 * this.#program.steps.length
  }

  /** The whole text; undefined if it is too long to say. */
  matches(found: string): boolean | undefined {
    if (found.length > longestText) return undefined
    const { steps, start, lead, ignoresCase } = this.#program
    const text = ignoresCase ? foldedText(found) : found
    clearTried(steps.length * (text.length + 1))
    if (lead === undefined) return matchesFrom(steps, start, text, 0)
    // What has been tried is kept from one place to the next.
    const end = lead.isInFirstLine ? text.indexOf('\n') : -1
    for (
      let at = text.indexOf(lead.text);
      at !== -1 && (end === -1 || at <= end);
      at = text.indexOf(lead.text, at + 1)
    ) {
      if (matchesFrom(steps, start, text, at)) return true
    }
    return false
  }
}

function matchesFrom(steps: readonly Step[], start: number, text: string, from: number): boolean {
  const width = steps.length
  untried.length = 0
  let at = from
  let position = start
  for (;;) {
    const step = steps[position] as Step
    if (isTried(at * width + position)) {
      at = -1
    } else if (step.is === 'either') {
      untried.push(step.other, at)
      position = step.next
      continue
    } else if (step.is === 'end') {
      if (at === text.length) return true
      at = -1
    } else {
      at = step.is === 'rest' ? followRest(step.set, text, at, position, width) : follow(step, text, at)
      position = step.next
    }
    if (at === -1) {
      if (untried.length === 0) return false
      at = untried.pop() as number
      position = untried.pop() as number
    }
  }
}

/** Where the text goes on behind the step, or -1. */
function follow(step: Extract<Step, { is: 'text' | 'character' }>, text: string, at: number): number {
  if (step.is === 'text') return text.startsWith(step.text, at) ? at + step.text.length : -1
  return followCharacter(step.set, text, at)
}

/** Each character on the way counts as tried: from there the rest has failed too, or would not be asked again. */
function followRest(set: CharacterSet, text: string, from: number, position: number, width: number): number {
  let at = from
  while (at !== -1 && at < text.length) {
    at = followCharacter(set, text, at)
    if (at !== -1 && isTried(at * width + position)) return -1
  }
  return at
}

function followCharacter(set: CharacterSet, text: string, at: number): number {
  const code = text.codePointAt(at)
  if (code === undefined || !isIn(set, code)) return -1
  return at + (code > 0xffff ? 2 : 1)
}

// One text is asked at a time, so all expressions share what they need for it.
const untried: number[] = []
let tried = new Uint32Array(256)

function clearTried(bits: number): void {
  const words = (bits >>> 5) + 1
  if (tried.length < words) tried = new Uint32Array(words * 2)
  else tried.fill(0, 0, words)
}

/** Whether this was asked before for the same text. */
function isTried(bit: number): boolean {
  const word = tried[bit >>> 5] as number
  const mask = 1 << (bit & 31)
  tried[bit >>> 5] = word | mask
  return (word & mask) !== 0
}
