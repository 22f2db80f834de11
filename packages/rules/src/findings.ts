import type { Problem } from '@tocsin/contracts/errors'
import { limits, type ProblemCode, type WarningCode } from './language.ts'

/** Nobody reads on after so many, and a hostile body could have one for each of its characters. */
const reported = 100

/** What validation has found so far in one rule. */
export class Findings {
  readonly problems: Problem[] = []
  readonly warnings: Problem[] = []
  #instructions = 0

  problem(pointer: string, code: ProblemCode, message: string): void {
    if (this.problems.length < reported) this.problems.push({ pointer, code, message })
  }

  warning(pointer: string, code: WarningCode, message: string): void {
    if (this.warnings.length < reported) this.warnings.push({ pointer, code, message })
  }

  /** Adds to what the regular expressions of the rule cost together, and complains once when that is too much. */
  spend(instructions: number, pointer: string): void {
    const before = this.#instructions
    this.#instructions += instructions
    if (before > limits.patternInstructions || this.#instructions <= limits.patternInstructions) return
    const allowed = `${limits.patternInstructions} are allowed for all patterns of a rule together`
    this.problem(pointer, 'too_costly', `brings the rule to ${this.#instructions} instructions; ${allowed}`)
  }
}
