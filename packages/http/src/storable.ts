import { maxJsonDepth } from '@tocsin/contracts/alert'
import { type Problem, ProblemList, pointerOf } from '@tocsin/contracts/errors'

/**
 * JSON that our own stores could not keep. Postgres has no U+0000 in text and no lone surrogates in jsonb, and both
 * Postgres and `JSON.stringify` run out of stack at some thousand levels. Accepting such a value would only move the
 * failure to where nobody reads the answer.
 */
export function problemsOfStoring(value: unknown): Problem[] {
  const problems = new ProblemList()
  const path: PropertyKey[] = []
  const add = (code: string, message: string) => problems.add({ pointer: pointerOf(path), code, message })

  const visitText = (text: string) => {
    if (text.includes('\0')) add('bad_text', 'must not contain the character U+0000')
    else if (!text.isWellFormed()) add('bad_text', 'must not contain half of a surrogate pair')
  }
  const visit = (node: unknown): void => {
    if (typeof node === 'string') visitText(node)
    if (typeof node !== 'object' || node === null) return
    if (path.length >= maxJsonDepth) return void add('too_deep', `is nested deeper than ${maxJsonDepth} levels`)
    for (const [key, child] of Array.isArray(node) ? node.entries() : Object.entries(node)) {
      if (problems.isFull) return
      path.push(key)
      if (typeof key === 'string') visitText(key)
      visit(child)
      path.pop()
    }
  }
  visit(value)
  return [...problems]
}
