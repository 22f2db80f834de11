import { type Problem, ProblemList } from '@tocsin/contracts/errors'
import { limits, type ProblemCode, type WarningCode } from './language.ts'

/** What validation has found so far in one rule. */
export class Findings {
  readonly #problems = new ProblemList()
  readonly #warnings = new ProblemList()
  #instructions = 0
  #unreadable = 0

  get problems(): Problem[] {
    return [...this.#problems]
  }

  get warnings(): Problem[] {
    return [...this.#warnings]
  }

  problem(pointer: string, code: ProblemCode, message: string): void {
    this.#problems.add({ pointer, code, message })
  }

  warning(pointer: string, code: WarningCode, message: string): void {
    this.#warnings.add({ pointer, code, message })
  }

  /** Whether nobody needs to hear of more patterns: the rule is refused, and reading them takes time. */
  get hasPatternsEnough(): boolean {
    return this.#hasOverspent || this.#unreadable > limits.patternLength
  }

  /** A pattern that cannot be read costs time as well. */
  badPattern(pattern: string, pointer: string, { problem, code }: { problem: string; code: ProblemCode }): void {
    this.#unreadable += pattern.length
    this.problem(pointer, code, problem)
  }

  get #hasOverspent(): boolean {
    return this.#instructions > limits.patternInstructions
  }

  /** Adds to what the regular expressions of the rule cost together, and complains once when that is too much. */
  spend(instructions: number, pointer: string): void {
    const hadOverspent = this.#hasOverspent
    this.#instructions += instructions
    if (hadOverspent || !this.#hasOverspent) return
    const allowed = `${limits.patternInstructions} are allowed for all patterns of a rule together`
    this.problem(pointer, 'too_costly', `brings the rule to ${this.#instructions} instructions; ${allowed}`)
  }
}
