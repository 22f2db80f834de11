import { RE2JS, RE2JSException } from 're2js'
import { limits } from './language.ts'
import { never, type Operator, prepared } from './operator.ts'

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
  try {
    return { instructions: RE2JS.compile(pattern).programSize() }
  } catch (error) {
    if (!(error instanceof RE2JSException)) throw error
    const why = error.message.replace('error parsing regexp: ', '')
    return { problem: `is no RE2 pattern: ${why}`, code: 'bad_pattern' }
  }
}

/** The pattern must match the whole text. It is compiled when it is first asked: many rules are loaded, few are. */
export const matches: Operator = prepared(pattern => {
  if (typeof pattern !== 'string' || pattern.length > limits.patternLength) return never
  let compiled: RE2JS | undefined
  return found => {
    if (typeof found !== 'string') return false
    compiled ??= RE2JS.compile(pattern)
    return compiled.testExact(found)
  }
})
